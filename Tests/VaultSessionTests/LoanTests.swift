import Synchronization
import Testing
import VaultProtocol
import VaultSession
import VaultSystem

/// Bytes that a pipe's peer takes from where they lie.
@Suite(.timeLimit(.minutes(1))) struct LoanTests {
  /// A thread that lends bytes.
  private final class Lender: Sendable {
    let ended = Wakes()
    private let outcome = Mutex<Bool?>(nil)

    init(_ bytes: [UInt8], on end: PipeTransport) throws {
      let thread = try WorkerThread(name: "lender") {
        let isTaken = bytes.withUnsafeBytes { bytes in
          do throws(TransportError) {
            try end.lend(bytes)
            return true
          } catch {
            return false
          }
        }
        self.outcome.withLock { $0 = isTaken }
        self.ended.arrive()
      }
      thread.detach()
    }

    /// Whether all was taken, once the loan has ended.
    var isTaken: Bool? {
      guard ended.come() else { return nil }
      return outcome.withLock { $0 }
    }
  }

  @Test(arguments: [1, 7, 4096], [1, 13, 1 << 20]) func lentBytesComeBehindThoseSent(
    _ capacity: Int, _ piece: Int
  ) throws {
    let (here, there) = PipeTransport.pair(capacity: capacity)
    let bytes = pattern(piece == 1 << 20 ? 300_000 : 5000)
    #expect(try here.sendNow([9]) == 1)
    let lender = try Lender(bytes, on: here)
    #expect(try there.receive(count: 1) == [9])
    var received: [UInt8] = []
    while received.count < bytes.count {
      #expect(lender.ended.count == 0, "not all was taken")
      received += try there.receive(count: min(piece, bytes.count - received.count))
    }
    #expect(received == bytes)
    #expect(lender.isTaken == true)
    #expect(try here.sendNow([8]) == 1)
    #expect(try there.receive(count: 1) == [8])
  }

  @Test func nothingIsSentBesideALoan() throws {
    let (here, there) = PipeTransport.pair()
    let (arrived, room) = (Wakes(), Wakes())
    there.whenReceivable { arrived.arrive() }
    let lender = try Lender([1, 2, 3], on: here)
    #expect(arrived.come())
    #expect(try here.sendNow([4]) == 0, "it would come in the middle")
    here.whenSendable { room.arrive() }
    #expect(room.count == 0)
    #expect(try there.receive(count: 3) == [1, 2, 3])
    #expect(lender.isTaken == true)
    #expect(room.come())
    #expect(try here.sendNow([4]) == 1)
  }

  @Test(arguments: [true, false]) func theEndEndsALoan(_ isLendersEnd: Bool) throws {
    let (here, there) = PipeTransport.pair()
    let arrived = Wakes()
    there.whenReceivable { arrived.arrive() }
    let lender = try Lender([1, 2, 3], on: here)
    #expect(arrived.come())
    #expect(try there.receive(count: 1) == [1])
    (isLendersEnd ? here : there).close()
    #expect(lender.isTaken == false)
    #expect(try there.receiveNow() == ([], true), "what was not taken is gone")
    #expect(try Lender([4], on: here).isTaken == false, "nobody takes it")
  }

  @Test(arguments: TransportKind.all) func lentFramesAreWhole(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let (sender, receiver) = (Channel(here), Channel(there))
    let payloads = [pattern(100_000), [], pattern(1), pattern(70_000)]
    let thread = try WorkerThread(name: "sender") {
      for (number, payload) in payloads.enumerated() {
        payload.withUnsafeBytes { bytes in
          do throws(TransportError) {
            if number == 2 {
              try sender.sendFrameBlocking(.recordGroup, bytes)
            } else {
              try sender.lendFrameBlocking(.recordGroup, bytes)
            }
          } catch { Issue.record(error) }
        }
      }
    }
    for payload in payloads {
      let frame = try await receiver.frame(.thread)
      #expect(frame.kind == .recordGroup && frame.payload == payload)
    }
    thread.join()
  }
}
