import VaultModel

/// The four-digit codes that begin every reply; the registry in vault-protocol(7).
package enum StatusCode: UInt16, Sendable, CaseIterable {
  case directorOK = 1000
  case directorBusy = 1901
  case directorMistrusts = 1902
  case directorRefused = 1999
  case fileDaemonOK = 2000
  case fileDaemonBusy = 2901
  case fileDaemonMistrusts = 2902
  case fileDaemonFailed = 2999
  case storageOK = 3000
  case readTicket = 3100
  case endOfVolume = 3201
  case endOfFile = 3401
  case volumeBusy = 3502
  case volumeNotMounted = 3503
  case invalidTicket = 3504
  case sessionAborted = 3505
  case notRecovered = 3506
  case storageBusy = 3901
  case storageMistrusts = 3902
  case storageRefused = 3999

  /// What the code says, as the registry lists it.
  package var meaning: String {
    switch self {
    case .directorOK: "the director did what was asked"
    case .directorBusy: "too many connections to the director are open; the reason names the limit"
    case .directorMistrusts: "the director was told another name or role than was authenticated"
    case .directorRefused: "the director refused or failed; the exit status and the reason follow"
    case .fileDaemonOK: "the file daemon did what was asked"
    case .fileDaemonBusy: "too many connections to the file daemon are open; the reason names the limit"
    case .fileDaemonMistrusts: "the file daemon was told another name or role than was authenticated"
    case .fileDaemonFailed: "the file daemon refused or failed; the exit status and the reason follow"
    case .storageOK: "the storage daemon did what was asked"
    case .readTicket: "a read session is open; its ticket follows"
    case .endOfVolume:
      "a notification is pending, or a block beyond the last on the volume was asked for: the words tell"
    case .endOfFile: "a block beyond the last of the session in the file was asked for"
    case .volumeBusy: "too many sessions are open, or one conflicts with this one"
    case .volumeNotMounted: "the volume is missing or cannot be appended to"
    case .invalidTicket: "the ticket is unknown, closed or another connection's"
    case .sessionAborted: "the session was aborted, or was not found: the words tell"
    case .notRecovered: "the device was opened anew: its volumes are to be looked at before anything is stored or read"
    case .storageBusy: "too many connections to the storage daemon are open; the reason names the limit"
    case .storageMistrusts: "the storage daemon was told another name or role than was authenticated"
    case .storageRefused: "the storage daemon refused or failed; the exit status and the reason follow"
    }
  }
}

/// A reply: a code, words, and fields.
package struct Reply: Hashable, Sendable {
  /// Nil for one that this program does not know: a newer peer may have it, and it is a refusal like others.
  package let code: StatusCode?
  /// The code as it stands in the line.
  package let number: UInt16
  package var line: ControlLine

  package init(_ code: StatusCode, _ text: String = "OK", fields: [ControlLine.Field] = []) {
    self.code = code
    number = code.rawValue
    line = ControlLine("\(code.rawValue) \(text)", fields: fields)
  }

  /// A refusal with the error's words and exit status.
  ///
  /// - Parameter text: the words behind the code, which tell two meanings of one code apart.
  package init(_ code: StatusCode, _ text: String = "Failed", refusing error: any DescribedError) {
    self.init(code, text)
    line.set("status", Int(error.exitStatus.rawValue))
    line.set("reason", error.description)
  }

  /// Reads a reply from a line.
  package init(_ line: ControlLine) throws(ControlError) {
    let digits = line.verb.prefix { $0 != " " }
    guard digits.utf8.count == 4, digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt16(digits) else {
      throw ControlError(.malformedLine, line: line.verb)
    }
    code = StatusCode(rawValue: number)
    self.number = number
    self.line = line
  }
}

/// A peer's refusal, in the peer's words.
package struct PeerRefusal: DescribedError, Hashable {
  /// Nil for a code that this program does not know.
  package let code: StatusCode?
  package let exitStatus: ExitStatus
  package let description: String

  package init(_ reply: Reply) {
    code = reply.code
    let number = reply.line["status"]?.text.flatMap { Int32($0) }
    exitStatus = number.flatMap { ExitStatus(rawValue: $0) } ?? .unreachable
    let meaning = reply.code?.meaning ?? "a code of a newer version"
    description = reply.line["reason"]?.text ?? "The peer answered \(reply.number): \(meaning)."
  }
}
