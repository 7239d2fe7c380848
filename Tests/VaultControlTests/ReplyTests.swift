import Testing
import VaultModel
import VaultProtocol

private struct Trouble: DescribedError {
  var exitStatus: VaultModel.ExitStatus { .damaged }
  var description: String { "vol-0001 is short; 100% of it is needed." }
}

/// Replies: a code, words and fields.
@Suite struct ReplyTests {
  @Test(arguments: StatusCode.allCases) func everyCodeIsFourDigits(_ code: StatusCode) throws {
    let text = String(decoding: Reply(code).line.encoded(), as: UTF8.self)
    #expect(text == "\(code.rawValue) OK\n" && text.count == 8)
    #expect(try Reply(decode("\(code.rawValue) whatever = a=b")).code == code)
    #expect(!code.meaning.isEmpty)
  }

  @Test func theRegistryOnlyGrows() {
    let known: [UInt16] = [
      1000, 1901, 1902, 1999, 2000, 2901, 2902, 2999, 3000, 3100, 3201, 3401, 3502, 3503, 3504, 3505, 3901, 3902, 3999,
    ]
    #expect(StatusCode.allCases.map(\.rawValue).filter { known.contains($0) } == known)
  }

  @Test func aRefusalCarriesTheExitStatusAndTheWords() throws {
    let reply = Reply(.storageRefused, refusing: Trouble())
    let text = "3999 Failed = status=7 reason=vol-0001%20is%20short;%20100%25%20of%20it%20is%20needed.\n"
    #expect(String(decoding: reply.line.encoded(), as: UTF8.self) == text)
    let refusal = PeerRefusal(try Reply(decode(String(text.dropLast()))))
    #expect(refusal.code == .storageRefused && refusal.exitStatus == .damaged)
    #expect(refusal.description == Trouble().description)
  }

  @Test(arguments: ["3502 Failed", "3502 Failed = status=77 reason=%FF", "3502 Failed = status=x"])
  func aRefusalWithoutWordsIsExplainedByItsCode(_ text: String) throws {
    let refusal = PeerRefusal(try Reply(decode(text)))
    #expect(refusal.exitStatus == .unreachable)
    #expect(refusal.description == "The peer answered 3502: \(StatusCode.volumeBusy.meaning).")
  }

  @Test(arguments: ["", "OK", "300 OK", "30000 OK", "+300 OK", "OK 3000", "x = 3000"])
  func whatIsNoReplyIsRefused(_ text: String) {
    #expect(throws: ControlError.self) { try Reply(decode(text)) }
  }

  /// A newer peer has codes of its own; its words are told like any other's.
  @Test func aCodeThatIsNotKnownIsARefusal() throws {
    let reply = try Reply(decode("3777 Failed = status=5 reason=later"))
    #expect(reply.code == nil && reply.number == 3777)
    let refusal = PeerRefusal(reply)
    #expect(refusal.code == nil && refusal.exitStatus == .unreachable && refusal.description == "later")
    let silent = PeerRefusal(try Reply(decode("3777 Failed")))
    #expect(silent.description == "The peer answered 3777: a code of a newer version.")
  }

  @Test func countersTravelAsFields() throws {
    var counters = JobCounters()
    counters.entriesSeen = 1
    counters.regularFilesSeen = 2
    counters.bytesSeen = 3
    counters.new = 4
    counters.changedSize = 51
    counters.changedDate = 52
    counters.changedChecksum = 53
    counters.changedAttributes = 54
    counters.deleted = 6
    counters.unchanged = 7
    counters.bytesRead = 8
    counters.bytesKnown = 91
    counters.bytesSent = 9
    counters.bytesStored = 10
    counters.problems = UInt64.max
    var line = ControlLine("2000 OK")
    counters.write(to: &line)
    let text =
      "2000 OK = entries-seen=1 files-seen=2 bytes-seen=3 new=4 changed-size=51 changed-date=52"
      + " changed-checksum=53 changed-attributes=54 deleted=6 unchanged=7 bytes-read=8 bytes-known=91 bytes-sent=9 bytes-stored=10 problems=18446744073709551615"
    #expect(String(decoding: line.encoded(), as: UTF8.self) == text + "\n")
    #expect(try JobCounters(decode(text)) == counters)
    for index in line.fields.indices {
      var short = line
      short.fields.remove(at: index)
      #expect(throws: ControlError.self) { try JobCounters(short) }
    }
  }
}
