import SystemPackage
import VaultCrypto
import VaultModel
import VaultSystem

/// The secrets of typed passwords, kept so that they need not be derived again after a restart.
///
/// It holds secrets by which its owner's peers let anybody in, so only its owner may read it. It does not hold passwords: a tag tells
/// whether a secret is a password's, and costs whoever stole the file a few milliseconds for each password that he tries.
/// - Layout: magic, salt (32 bytes), then for each secret the length of the resource's name (u16, little-endian), the name, the
///   password's tag and the secret (32 bytes each); at last the SHA-256 of everything before.
struct SecretFile: Equatable {
  private static let magic = Array("VLTSEC01".utf8)
  private static let byteLimit = 16 << 20
  private static let wordCount = PresharedKey.byteCount

  struct Secret: Equatable {
    var tag: [UInt8]
    var secret: [UInt8]
  }

  let salt: [UInt8]
  /// By the names of the resources.
  var secrets: [String: Secret] = [:]

  init(salt: [UInt8]) { self.salt = salt }

  // MARK: Bytes

  func encoded() throws -> [UInt8] {
    var bytes = Self.magic + salt
    for (name, secret) in secrets.sorted(by: { $0.key < $1.key }) {
      let name = Array(name.utf8)
      guard name.count <= UInt16.max else { continue }
      bytes += [UInt8(name.count & 0xff), UInt8(name.count >> 8)] + name + secret.tag + secret.secret
    }
    return bytes + (try Self.digest(bytes[...]))
  }

  /// Reads a file's bytes; nil when they are damaged or none of this form.
  init?(decoding bytes: [UInt8]) {
    let count = Self.wordCount
    let end = bytes.count - count
    guard end >= Self.magic.count + count, bytes.starts(with: Self.magic),
      let digest = try? Self.digest(bytes[..<end]), digest == Array(bytes[end...])
    else { return nil }
    var rest = bytes[Self.magic.count..<end]
    func take(_ count: Int) -> [UInt8]? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    guard let salt = take(count) else { return nil }
    self.salt = salt
    while !rest.isEmpty {
      guard let length = take(2), let name = take(Int(length[0]) | Int(length[1]) << 8), let tag = take(count),
        let secret = take(count), let text = String(validating: name, as: UTF8.self)
      else { return nil }
      secrets[text] = Secret(tag: tag, secret: secret)
    }
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) throws -> [UInt8] {
    var hasher = try SHA256Hasher()
    try hasher.begin()
    try bytes.withUnsafeBytes { try hasher.update($0) }
    return try hasher.finish().withBytes { Array($0) }
  }

  // MARK: The disk

  /// Reads a file; nil for one that is not there, is damaged, or that others can read or could have written.
  static func read(_ path: ByteString) -> SecretFile? {
    guard let status = try? FileStatus.read(at: Descriptor.workingDirectory, name: path), status.type == .regular,
      status.mode & 0o077 == 0, status.owner == CurrentProcess.userID,
      let bytes = try? DurableFiles.readRegular(path, limit: byteLimit)
    else { return nil }
    return SecretFile(decoding: bytes)
  }

  /// Writes the file whole, readable by its owner only.
  func write(_ path: ByteString) throws { try DurableFiles.write(try encoded(), to: path) }
}
