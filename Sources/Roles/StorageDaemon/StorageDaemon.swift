import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The storage daemon: writes job data to volumes on its device and reads it back.
///
/// `run()` serves directors and file daemons until its listener closes.
package struct StorageDaemon: Sendable {
  let device: Device
  let clock: any VaultClock
  let jobs = JobTable()
  private let hello: Hello

  package init(name: String, device: Device, clock: any VaultClock) {
    self.device = device
    self.clock = clock
    hello = Hello(role: .storageDaemon, name: name)
  }

  /// Serves until the listener closes.
  package func run(_ listener: PipeListener) async {
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask { await serve(Channel(transport)) }
      }
      group.cancelAll()
    }
  }

  private func serve(_ channel: Channel) async {
    defer { channel.close() }
    do {
      guard let peer = try await hello.answer(channel, allowing: [.director, .fileDaemon]) else { return }
      switch peer.role {
      case .director: try await DirectorConversation(storage: self, channel: channel).run()
      case .fileDaemon: try await FileDaemonConversation(storage: self, channel: channel).run()
      case .console, .storageDaemon: return
      }
    } catch {
      // The peer is gone or cannot be understood: its jobs end as their own channels say, other conversations go on.
      return
    }
  }
}
