import VaultConfiguration
import VaultModel

/// Writes JSON piece by piece; the caller opens and closes in order.
package struct JSONWriter {
  package private(set) var bytes: [UInt8] = []
  private var needsComma = false

  package init() {}

  /// Gives what was written since the last call, for documents that stream.
  package mutating func takeBytes() -> [UInt8] {
    defer { bytes.removeAll(keepingCapacity: true) }
    return bytes
  }

  package mutating func object(_ body: (inout JSONWriter) -> Void) {
    open(UInt8(ascii: "{"))
    body(&self)
    close(UInt8(ascii: "}"))
  }

  package mutating func array(_ body: (inout JSONWriter) -> Void) {
    open(UInt8(ascii: "["))
    body(&self)
    close(UInt8(ascii: "]"))
  }

  // Halves of the above, for documents that are written as their parts come.
  package static func begunObject() -> JSONWriter {
    var writer = JSONWriter()
    writer.open(UInt8(ascii: "{"))
    return writer
  }
  package mutating func endObject() { close(UInt8(ascii: "}")) }
  package mutating func beginArray() { open(UInt8(ascii: "[")) }
  package mutating func endArray() { close(UInt8(ascii: "]")) }

  /// Ends a document, or a line of one.
  package mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }

  /// Begins a line for the next element of an array.
  package mutating func beginLine() {
    separate()
    needsComma = false
    endLine()
  }

  package mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// An object in an array.
  package mutating func element(_ body: (inout JSONWriter) -> Void) {
    separate()
    needsComma = false
    object(body)
  }

  /// A text in an array.
  package mutating func element(_ value: String) { string(value) }

  package mutating func field(_ name: String, _ value: String) {
    key(name)
    string(value)
  }

  package mutating func field(_ name: String, _ value: UInt64) {
    key(name)
    raw(String(value))
  }

  package mutating func field(_ name: String, _ value: Bool) {
    key(name)
    raw(value ? "true" : "false")
  }

  package mutating func null(_ name: String) {
    key(name)
    raw("null")
  }

  /// Milliseconds as a number of seconds.
  package mutating func seconds(_ name: String, milliseconds: UInt64) { thousandths(name, milliseconds) }

  /// A number with three digits behind its point.
  package mutating func thousandths(_ name: String, _ value: UInt64) {
    let rest = String(value % 1_000)
    key(name)
    raw("\(value / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest)
  }

  /// A name of bytes: as it is when it is UTF-8; else readable, and its bytes in base64 beside it under `<name>Bytes`.
  package mutating func field(_ name: String, _ value: ByteString) {
    if let text = value.text {
      field(name, text)
    } else {
      field(name, value.displayText)
      field(name + "Bytes", Base64.encode(value.bytes))
    }
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func open(_ mark: UInt8) {
    separate()
    bytes.append(mark)
    needsComma = false
  }

  private mutating func close(_ mark: UInt8) {
    bytes.append(mark)
    needsComma = true
  }

  private mutating func raw(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
    needsComma = true
  }

  private mutating func string(_ text: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": bytes += [UInt8(ascii: "\\"), UInt8(scalar.value)]
      case "\n": bytes += Array("\\n".utf8)
      case "\t": bytes += Array("\\t".utf8)
      // Escaped, they cannot command a terminal.
      case _ where scalar.isInvisible: for unit in String(scalar).utf16 { escape(unit) }
      default: bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
      }
    }
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  private mutating func escape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
  }
}
