import CLinux
import VaultModel

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Hashable, Sendable {
  /// The system's form, `sockaddr_in` or `sockaddr_in6`.
  fileprivate let bytes: [UInt8]
  /// `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`.
  package let host: String
  package let port: UInt16

  /// The address a connection is counted under: without the port, and an IPv6 address by its network of 64 bits.
  package var source: String { host }

  package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Reads the system's form.
  init?(_ bytes: [UInt8]) {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let code = bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { base in
        getnameinfo(
          base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count), &host, socklen_t(host.count), &service,
          socklen_t(service.count), NI_NUMERICHOST | NI_NUMERICSERV)
      }
    }
    guard code == 0, let port = UInt16(Self.text(service)) else { return nil }
    self.bytes = bytes
    self.host = Self.text(host)
    self.port = port
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var family: Int32 { bytes.withUnsafeBytes { Int32($0.load(as: sa_family_t.self)) } }

  /// Lends the system's form.
  func withSystemForm<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result? {
    bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { body($0.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count)) }
    }
  }

  // MARK: Names

  /// The addresses of a host's name or of an address's text, in the order to try them; blocks while the name is looked up.
  ///
  /// - Parameter host: empty for all addresses of this machine, to listen on.
  package static func resolve(host: String, port: UInt16) throws(NameLookupError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | (host.isEmpty ? AI_PASSIVE : 0)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
    guard code == 0 else { throw NameLookupError(host: host, reason: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next?.pointee {
      next = info.ai_next
      guard let raw = info.ai_addr else { continue }
      let bytes = [UInt8](UnsafeRawBufferPointer(start: raw, count: Int(info.ai_addrlen)))
      if let address = SocketAddress(bytes), !addresses.contains(address) { addresses.append(address) }
    }
    return addresses
  }
}

/// A host's name that leads to no address.
package struct NameLookupError: DescribedError, Hashable {
  package let host: String
  let reason: String
  package var exitStatus: ExitStatus { .unreachable }
  package var description: String { "The address of \(host) cannot be found: \(reason)." }
}
