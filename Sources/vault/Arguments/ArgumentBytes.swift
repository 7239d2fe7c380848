import VaultModel

/// Carries arguments, which are bytes, through a parser that takes text.
///
/// A byte that is no UTF-8, and a control character, becomes one scalar of a private range, U+F0000 + byte; scalars of
/// that range in the argument itself are carried byte by byte the same way. So every argument comes back as it was.
package enum ArgumentBytes {
  private static let first: UInt32 = 0xf0000

  /// The argument as text for the parser.
  package static func text(_ argument: ByteString) -> String {
    var text = String.UnicodeScalarView()
    var decoder = UTF8.ForwardParser()
    var offset = 0
    var iterator = argument.bytes.makeIterator()
    scan: while true {
      switch decoder.parseScalar(from: &iterator) {
      case .emptyInput: break scan
      case .valid(let encoded):
        let scalar = UTF8.decode(encoded)
        if isPrivate(scalar) || scalar.value < 0x20 || scalar.value == 0x7f {
          for byte in encoded { text.append(carrier(byte)) }
        } else {
          text.append(scalar)
        }
        offset += encoded.count
      case .error(let length):
        for byte in argument.bytes[offset..<(offset + length)] { text.append(carrier(byte)) }
        offset += length
      }
    }
    return String(text)
  }

  /// The argument that `text` carries.
  package static func bytes(_ text: String) -> ByteString {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      if isPrivate(scalar) {
        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
      }
    }
    return ByteString(bytes)
  }

  /// A text that may hold arguments, for a person: what they carry is shown as `\xff`.
  package static func shown(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
      if isPrivate(scalar) {
        shown += ByteString([UInt8(truncatingIfNeeded: scalar.value)]).escapedBytes
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  private static func isPrivate(_ scalar: Unicode.Scalar) -> Bool { (first...(first + 0xff)).contains(scalar.value) }

  private static func carrier(_ byte: UInt8) -> Unicode.Scalar {
    // Every value of this range is a scalar; the replacement is never used.
    Unicode.Scalar(first + UInt32(byte)) ?? "\u{fffd}"
  }
}

extension ByteString {
  /// Every byte as `\xNN`.
  fileprivate var escapedBytes: String {
    bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
