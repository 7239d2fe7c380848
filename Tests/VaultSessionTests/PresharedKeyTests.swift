import Testing
import VaultCrypto

/// Keys and secrets, held against other programs' and the standards' values.
@Suite struct PresharedKeyTests {
  /// RFC 5869 has no vector without salt but its third: the information and the salt empty.
  @Test func keysAreThoseOfTheStandard() throws {
    let secret = [UInt8](repeating: 0x0b, count: 22)
    let key = try PresharedKey.derive(secret: secret, identity: [])
    #expect(hex(key) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
  }

  /// Compared with Python's hashlib.scrypt(b"secret", salt=b"vault-psk-1", n=2**15, r=8, p=1, maxmem=2**26, dklen=32).
  @Test func aTypedPasswordsSecret() throws {
    #expect(
      hex(try PresharedKey.secret(password: Array("secret".utf8)))
        == "ca0e7ccfe85e9a18f46cd94ba01c0f27d0bb94df6db08c386ea485fe145f82cc")
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Python: the same with salt=bytes(range(32)), n=2**10.
  @Test func aPasswordsTag() throws {
    #expect(
      hex(try PresharedKey.tag(password: Array("secret".utf8), salt: Array(0..<32)))
        == "de0c942c49efa319735ca44e1cf3ab887801d09a9a68a475bd3cd16a0adbecaa")
  }

  @Test func whatADiallerOffers() {
    func identity(_ bytes: [UInt8]) -> [UInt8]? { bytes.withUnsafeBytes { PresharedKeyOffer.firstIdentity($0) } }
    let offer: [UInt8] = [0, 9, 0, 3, 65, 66, 67, 0, 0, 0, 0]
    #expect(identity(offer) == [65, 66, 67])
    #expect(identity(offer + [0, 33, 32]) == [65, 66, 67], "binders follow")
    for count in 0..<offer.count { #expect(identity(Array(offer[..<count])) == nil) }
    #expect(identity([0, 6, 0, 0, 0, 0, 0, 0]) == nil, "an identity has a byte")
    #expect(identity([0, 8, 0, 3, 65, 66, 67, 0, 0, 0, 0]) == nil, "the age belongs to it")
    #expect(identity([255, 255, 255, 255]) == nil)
  }
}
