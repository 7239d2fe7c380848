/// Bytes that name something: a file name, a path, a symbolic link's target.
///
/// File names are bytes end to end; they become a `String` only to be shown, through `displayText`.
/// Order is bytewise.
package struct ByteString: Hashable, Sendable {
  package var bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }
  package init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
  package init(_ text: String) { self.bytes = Array(text.utf8) }
  package init(_ buffer: UnsafeRawBufferPointer) { self.bytes = Array(buffer) }

  package var count: Int { bytes.count }
  package var isEmpty: Bool { bytes.isEmpty }

  /// The name as text, or nil when the bytes are not UTF-8.
  package var text: String? { String(validating: bytes, as: UTF8.self) }

  /// The name for a person: control characters, backslashes and bytes that are not UTF-8 escaped as `\n`, `\x1b`.
  ///
  /// What it returns is safe to send to a terminal and says which bytes the name has.
  package var displayText: String {
    guard let text else {
      return bytes.map { (0x20..<0x7f).contains($0) && $0 != 0x5c ? String(UnicodeScalar($0)) : Self.escaped($0) }
        .joined()
    }
    var shown = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": shown += "\\n"
      case "\t": shown += "\\t"
      case "\r": shown += "\\r"
      case "\\": shown += "\\\\"
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
          for byte in Array(String(scalar).utf8) { shown += Self.escaped(byte) }
        default: shown.unicodeScalars.append(scalar)
        }
      }
    }
    return shown
  }

  private static func escaped(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
  }
}

extension ByteString: Comparable {
  package static func < (left: ByteString, right: ByteString) -> Bool {
    left.bytes.withUnsafeBytes { a in
      right.bytes.withUnsafeBytes { b in compareBytes(a, b) < 0 }
    }
  }
}

extension ByteString: CustomStringConvertible {
  package var description: String { displayText }
}

extension ByteString: ExpressibleByStringLiteral {
  package init(stringLiteral value: String) { self.init(value) }
}

/// Bytewise order as `memcmp` gives it, a prefix before what it begins: negative, 0 or positive.
package func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
  let common = min(left.count, right.count)
  for index in 0..<common where left[index] != right[index] {
    return Int(left[index]) - Int(right[index])
  }
  return left.count - right.count
}
