import CLinux
import Glibc
import VaultModel

/// Names of users and groups as this system knows them. The calls may ask the network: they block.
package enum AccountNames {
  /// Records of groups with very many members are longer.
  private static let initialByteCount = 4096
  private static let byteLimit = 1 << 24

  /// The name of a number; nil when it has none. The corresponding C functions are `getpwuid_r` and `getgrgid_r`.
  package static func name(of number: UInt32, _ kind: OwnerKind) -> ByteString? {
    withRecord { buffer, count in
      switch kind {
      case .user:
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        let error = getpwuid_r(number, &record, buffer, count, &found)
        return (error, found.map { bytes(of: $0.pointee.pw_name) })
      case .group:
        var record = group()
        var found: UnsafeMutablePointer<group>?
        let error = getgrgid_r(number, &record, buffer, count, &found)
        return (error, found.map { bytes(of: $0.pointee.gr_name) })
      }
    }
  }

  /// The number of a name; nil when this system does not know it. The corresponding C functions are `getpwnam_r` and
  /// `getgrnam_r`.
  package static func number(of name: ByteString, _ kind: OwnerKind) -> UInt32? {
    name.withCString { name in
      withRecord { buffer, count in
        switch kind {
        case .user:
          var record = passwd()
          var found: UnsafeMutablePointer<passwd>?
          let error = getpwnam_r(name, &record, buffer, count, &found)
          return (error, found?.pointee.pw_uid)
        case .group:
          var record = group()
          var found: UnsafeMutablePointer<group>?
          let error = getgrnam_r(name, &record, buffer, count, &found)
          return (error, found?.pointee.gr_gid)
        }
      }
    }
  }

  /// Calls with a buffer that grows until the record fits.
  private static func withRecord<Value>(
    _ call: (UnsafeMutablePointer<CChar>, Int) -> (error: Int32, value: Value?)
  ) -> Value? {
    var byteCount = initialByteCount
    while byteCount <= byteLimit {
      let result: (error: Int32, value: Value?) = withUnsafeTemporaryAllocation(
        of: CChar.self, capacity: byteCount
      ) { buffer in
        guard let base = buffer.baseAddress else { return (ENOMEM, nil) }
        return call(base, byteCount)
      }
      if let value = result.value { return value }
      switch result.error {
      case ERANGE: byteCount *= 2
      case EINTR: continue
      default: return nil
      }
    }
    return nil
  }

  private static func bytes(of text: UnsafeMutablePointer<CChar>?) -> ByteString {
    guard let text else { return "" }
    return ByteString(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}
