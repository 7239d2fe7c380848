import VaultModel

/// One line of the control channel: a verb phrase, then positional words and `key=value` fields.
///
/// `append open session = 17 attempt=1` has the verb `append open session`, the word `17` and one field. Inside words, bytes
/// outside 0x21–0x7E, `%` and `"` are percent-encoded, so values carry any bytes. Source: seed 001, "SD Sessions".
/// - Bounds: an encoded line is at most `byteLimit` bytes, its line feed included; one that is a frame's payload, at most what a
///   frame holds.
package struct ControlLine: Hashable, Sendable {
  package static let byteLimit = 64 * 1024

  package var verb: String
  package var words: [ByteString]
  package var fields: [Field]

  package struct Field: Hashable, Sendable {
    package var key: String
    package var value: ByteString
    package init(key: String, value: ByteString) {
      self.key = key
      self.value = value
    }
  }

  package init(_ verb: String, words: [ByteString] = [], fields: [Field] = []) {
    self.verb = verb
    self.words = words
    self.fields = fields
  }

  // MARK: Building

  package mutating func set(_ key: String, _ value: ByteString) { fields.append(Field(key: key, value: value)) }
  package mutating func set(_ key: String, _ value: String) { set(key, ByteString(value)) }
  package mutating func set(_ key: String, _ value: some BinaryInteger) { set(key, String(value)) }

  // MARK: Reading

  /// The first field called `key`.
  package subscript(_ key: String) -> ByteString? { fields.first { $0.key == key }?.value }

  /// All fields called `key`, in order.
  package func all(_ key: String) -> [ByteString] { fields.filter { $0.key == key }.map(\.value) }

  /// A field that must be there as text.
  package func text(_ key: String) throws(ControlError) -> String {
    guard let text = self[key]?.text else { throw ControlError(.missingField(key), line: verb) }
    return text
  }

  /// A field that must be there as a number.
  package func integer<Integer: FixedWidthInteger>(_ key: String, as: Integer.Type = Integer.self) throws(ControlError)
    -> Integer
  {
    guard let value = Integer(try text(key)) else { throw ControlError(.malformedField(key), line: verb) }
    return value
  }

  /// A field that must be there as a UUID.
  package func identifier(_ key: String) throws(ControlError) -> UniqueIdentifier {
    guard let value = UniqueIdentifier(text: try text(key)) else {
      throw ControlError(.malformedField(key), line: verb)
    }
    return value
  }

  /// A positional word that must be there.
  package func word(_ index: Int) throws(ControlError) -> ByteString {
    guard words.indices.contains(index) else { throw ControlError(.missingField("word \(index + 1)"), line: verb) }
    return words[index]
  }

  // MARK: Bytes

  /// A word as it stands on the wire, where words with `=` in them stand for themselves.
  package static func encodedWord(_ word: ByteString) -> String {
    var bytes: [UInt8] = []
    encode(word, to: &bytes, escapingEquals: false)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A word from the wire; nil when it is not of that form.
  package static func decodedWord(_ text: some StringProtocol) -> ByteString? {
    Array(text.utf8).withUnsafeBytes { bytes in
      guard bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
      return try? decode(bytes[...], "")
    }
  }

  /// The line with its line feed.
  package func encoded() -> [UInt8] {
    var line = Array(verb.utf8)
    if !words.isEmpty || !fields.isEmpty { line += " =".utf8 }
    for word in words {
      line.append(0x20)
      Self.encode(word, to: &line, escapingEquals: true)
    }
    for field in fields {
      line.append(0x20)
      line += field.key.utf8
      line.append(0x3d)
      Self.encode(field.value, to: &line, escapingEquals: false)
    }
    line.append(0x0a)
    return line
  }

  /// Reads a line without its line feed.
  ///
  /// - Parameter byteLimit: bytes at most, the line feed included.
  package init(
    decoding bytes: UnsafeRawBufferPointer, byteLimit: Int = ControlLine.byteLimit
  ) throws(ControlError) {
    var bytes = bytes
    if bytes.last == 0x0d { bytes = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 1)]) }
    guard bytes.count < byteLimit, bytes.allSatisfy({ (0x20...0x7e).contains($0) }) else {
      throw ControlError(.malformedLine, line: "")
    }
    let pieces = bytes.split(separator: 0x20)
    let cut = pieces.firstIndex { $0.count == 1 && $0.first == 0x3d } ?? pieces.count
    verb = pieces[..<cut].map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    words = []
    fields = []
    for piece in pieces[min(cut + 1, pieces.count)...] {
      if let equals = piece.firstIndex(of: 0x3d), equals > piece.startIndex {
        let key = String(decoding: piece[..<equals], as: UTF8.self)
        fields.append(Field(key: key, value: try Self.decode(piece[(equals + 1)...], verb)))
      } else {
        words.append(try Self.decode(piece, verb))
      }
    }
  }

  /// Reads a frame's payload that is one line, its line feed included.
  package init(payload: [UInt8]) throws(ControlError) {
    let result = payload.withUnsafeBytes { bytes -> Swift.Result<ControlLine, ControlError> in
      guard bytes.last == 0x0a else { return .failure(ControlError(.malformedLine, line: "")) }
      do throws(ControlError) {
        return .success(
          try ControlLine(
            decoding: UnsafeRawBufferPointer(rebasing: bytes.dropLast()), byteLimit: FrameHeader.payloadLimit))
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  private static func encode(_ value: ByteString, to line: inout [UInt8], escapingEquals: Bool) {
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in value.bytes {
      let isPlain =
        (0x21...0x7e).contains(byte) && byte != 0x25 && byte != 0x22 && !(escapingEquals && byte == 0x3d)
      if isPlain {
        line.append(byte)
      } else {
        line.append(0x25)
        line.append(digits[Int(byte >> 4)])
        line.append(digits[Int(byte & 15)])
      }
    }
  }

  private static func decode(_ piece: Slice<UnsafeRawBufferPointer>, _ verb: String) throws(ControlError) -> ByteString
  {
    var value: [UInt8] = []
    value.reserveCapacity(piece.count)
    var index = piece.startIndex
    while index < piece.endIndex {
      guard piece[index] == 0x25 else {
        value.append(piece[index])
        index += 1
        continue
      }
      guard index + 2 < piece.endIndex, let high = Character(UnicodeScalar(piece[index + 1])).hexDigitValue,
        let low = Character(UnicodeScalar(piece[index + 2])).hexDigitValue
      else { throw ControlError(.malformedLine, line: verb) }
      value.append(UInt8(high << 4 | low))
      index += 3
    }
    return ByteString(value)
  }
}

/// A control line that does not have the form it should.
package struct ControlError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    case malformedLine
    case lineTooLong
    case missingField(String)
    case malformedField(String)
  }

  package let kind: Kind
  /// The verb of the line, as far as it could be read.
  package let line: String

  package init(_ kind: Kind, line: String) {
    self.kind = kind
    self.line = line
  }

  package var exitStatus: ExitStatus { .unreachable }
  package var description: String {
    switch kind {
    case .malformedLine: "A control line (\(line)) is not printable ASCII words with percent-encoding."
    case .lineTooLong: "A control line is longer than \(ControlLine.byteLimit) bytes."
    case .missingField(let key): "The request '\(line)' lacks '\(key)'."
    case .malformedField(let key): "The request '\(line)' has a '\(key)' that is not of the form it should be."
    }
  }
}
