import VaultModel

/// How a file daemon reaches a storage daemon for one job, and the key that opens one connection to it.
///
/// - Layout: fields of a request, `storage= address= port= job= key=`; the key in hexadecimal digits.
/// - Source: DESIGN "Connections": a job's key is random and good for one handshake.
package struct StorageRoute: Hashable, Sendable {
  /// Bytes of a job's key.
  package static let keyByteCount = 32

  /// What the storage daemon is called.
  package var storage: String
  package var host: String
  package var port: UInt16
  /// What the connection is for: the session that is stored, or a restore's one-time name.
  package var job: UniqueIdentifier
  package var key: [UInt8]

  package init(storage: String, host: String, port: UInt16, job: UniqueIdentifier, key: [UInt8]) {
    self.storage = storage
    self.host = host
    self.port = port
    self.job = job
    self.key = key
  }

  package func write(to line: inout ControlLine) {
    line.set("storage", storage)
    line.set("address", host)
    line.set("port", port)
    line.set("job", job.text)
    line.set("key", Self.text(key))
  }

  /// Reads the fields; nil when the line names no storage daemon.
  package init?(_ line: ControlLine) throws(ControlError) {
    guard line["storage"] != nil else { return nil }
    self.init(
      storage: try line.text("storage"), host: try line.text("address"), port: try line.integer("port"),
      job: try line.identifier("job"), key: try Self.key(line))
  }

  /// A key's digits.
  package static func text(_ key: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: key.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The field `key`.
  package static func key(_ line: ControlLine) throws(ControlError) -> [UInt8] {
    let digits = Array(try line.text("key").utf8)
    guard digits.count == 2 * keyByteCount else { throw ControlError(.malformedField("key"), line: line.verb) }
    var key: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Character(UnicodeScalar(digits[index])).hexDigitValue,
        let low = Character(UnicodeScalar(digits[index + 1])).hexDigitValue
      else { throw ControlError(.malformedField("key"), line: line.verb) }
      key.append(UInt8(high << 4 | low))
    }
    return key
  }
}
