import COpenSSL
import Glibc
import VaultModel

extension PeerCertificate {
  /// Reads the names of the library's certificate, which stays the caller's.
  init(_ certificate: OpaquePointer) {
    self.init(commonName: Self.commonName(of: certificate), alternativeNames: Self.alternativeNames(of: certificate))
  }

  private static func commonName(of certificate: OpaquePointer) -> ByteString? {
    let subject = X509_get_subject_name(certificate)
    let place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
    guard place >= 0, let entry = X509_NAME_get_entry(subject, place) else { return nil }
    var text: UnsafeMutablePointer<UInt8>?
    let length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
    guard length >= 0, let text else { return nil }
    defer { CRYPTO_free(text, #file, #line) }
    return name(UnsafeRawBufferPointer(start: text, count: Int(length)))
  }

  private static func alternativeNames(of certificate: OpaquePointer) -> [ByteString] {
    guard let list = vault_alternative_names(certificate) else { return [] }
    defer { GENERAL_NAMES_free(list) }
    var names: [ByteString] = []
    for index in 0..<max(0, vault_alternative_name_count(list)) {
      if let host = vault_alternative_name(list, index, GEN_DNS) {
        if let name = name(bytes(of: host)) { names.append(name) }
      } else if let address = vault_alternative_name(list, index, GEN_IPADD) {
        if let text = addressText(bytes(of: address)) { names.append(text) }
      }
    }
    return names
  }

  private static func bytes(of string: UnsafePointer<ASN1_STRING>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(max(0, ASN1_STRING_length(string))))
  }

  /// A name as it stands there; one with a zero byte is somebody's attempt to look like another.
  private static func name(_ bytes: UnsafeRawBufferPointer) -> ByteString? {
    bytes.isEmpty || bytes.contains(0) ? nil : ByteString(bytes)
  }

  private static func addressText(_ bytes: UnsafeRawBufferPointer) -> ByteString? {
    guard let family = [4: AF_INET, 16: AF_INET6][bytes.count] else { return nil }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return nil }
    return ByteString(text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
  }
}
