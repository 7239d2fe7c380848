import CLinux
import Glibc

/// A datagram to whoever manages the process.
package enum NotifySocket {
  /// Sends a text to a socket of the local domain; that nobody takes it is nobody's concern.
  ///
  /// - Parameter path: a file's, or with `@` in front a name of the abstract namespace.
  package static func send(_ text: String, to path: [UInt8]) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard path.count < room, let first = path.first else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { raw in
      raw.copyBytes(from: path)
      if first == 0x40 { raw[0] = 0 }
    }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + path.count)
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return }
    defer { Glibc.close(socket) }
    let bytes = Array(text.utf8)
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { base in
        _ = sendto(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL), base, length)
      }
    }
  }
}
