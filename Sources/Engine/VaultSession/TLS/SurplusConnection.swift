import VaultModel
import VaultProtocol
import VaultSystem

/// A connection above its listener's limits: authenticated, told so in answer to its hello, and closed.
enum SurplusConnection {
  /// Answers whatever line comes first with the role's code and the limit, within a time; does not wait for it.
  static func refuse(
    _ transport: TLSTransport, as role: PeerRole, _ excess: TooManyConnections, _ poller: Poller,
    limitNanoseconds: UInt64
  ) {
    let timer = poller.after(nanoseconds: limitNanoseconds) { transport.close() }
    Task {
      let channel = Channel(transport)
      // A peer that says nothing, or what is no line, has nobody to listen to the answer.
      if (try? await channel.receiveLine()) != nil {
        try? await channel.sendReply(Reply(role.busyCode, refusing: excess))
      }
      poller.cancel(timer)
      channel.close()
    }
  }
}
