import Testing
import VaultProtocol
import VaultSession
import VaultSystem

/// Sends of several tasks and threads through a pipe without room stay whole, and nobody is forgotten.
@Suite(.timeLimit(.minutes(2))) struct ConcurrentSenderTests {
  private static let senderCount = 6
  private static let framesPerSender = 40

  private static func payload(_ sender: Int, _ number: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(sender), count: 1 + (sender * 37 + number * 101) % 700)
  }

  @Test(arguments: [1, 64, 4096]) func framesStayWhole(_ capacity: Int) async throws {
    let (here, there) = PipeTransport.pair(capacity: capacity)
    let (channel, receiver) = (Channel(here), Channel(there))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for sender in 0..<Self.senderCount {
        group.addTask {
          if sender % 2 == 0 {
            for number in 0..<Self.framesPerSender {
              try await channel.sendFrame(.progress, Self.payload(sender, number))
            }
          } else {
            try await onThread(name: "sender") {
              for number in 0..<Self.framesPerSender {
                try Self.payload(sender, number).withUnsafeBytes { try channel.sendFrameBlocking(.state, $0) }
              }
            }
          }
        }
      }
      var next = [Int](repeating: 0, count: Self.senderCount)
      for _ in 0..<(Self.senderCount * Self.framesPerSender) {
        let (kind, payload) = try await receiver.receiveFrame()
        let sender = Int(try #require(payload.first))
        try #require(sender < Self.senderCount)
        #expect(kind == (sender % 2 == 0 ? .progress : .state))
        #expect(payload == Self.payload(sender, next[sender]), "frame \(next[sender]) of sender \(sender)")
        next[sender] += 1
      }
      try await group.waitForAll()
    }
  }
}
