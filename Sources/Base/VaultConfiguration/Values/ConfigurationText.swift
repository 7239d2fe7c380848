import VaultModel

/// Writes values so that the language reads them back.
enum ConfigurationText {
  /// A name: bare when it is plain, else in quotes.
  static func word(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || "-._:".utf8.contains($0)
    }
    return isPlain && !name.isEmpty ? name : string(ByteString(name))
  }

  /// Bytes in quotes; what is no text of one line becomes an escape.
  static func string(_ bytes: ByteString) -> String {
    let isText = bytes.text != nil
    var quoted: [UInt8] = [UInt8(ascii: "\"")]
    for byte in bytes.bytes {
      switch byte {
      case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "$"): quoted += [UInt8(ascii: "\\"), byte]
      case 0x20..<0x7f: quoted.append(byte)
      case 0x80... where isText: quoted.append(byte)
      default: quoted += Array(("\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8)
      }
    }
    return String(decoding: quoted + [UInt8(ascii: "\"")], as: UTF8.self)
  }
}
