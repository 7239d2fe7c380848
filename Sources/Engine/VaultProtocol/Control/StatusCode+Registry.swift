/// The registry of status codes: who sends each, in answer to what, and what to do about it.
///
/// A new code needs an entry here, else this file does not compile; `vault codes` and vault-protocol(7) show what it says.
extension StatusCode {
  /// Who sends a code.
  package enum Sender: String, Sendable, CaseIterable {
    case director
    case fileDaemon = "file daemon"
    case storageDaemon = "storage daemon"
  }

  /// What the registry says of a code, beside its meaning.
  package struct Entry: Hashable, Sendable {
    package var senders: [Sender]
    /// The requests that it answers, by their verbs or in words.
    package var requests: [String]
    /// What a person does about it.
    package var remedy: String

    fileprivate init(_ senders: Sender..., answers requests: [String], _ remedy: String) {
      self.senders = senders
      self.requests = requests
      self.remedy = remedy
    }
  }

  /// The codes that programs send, in ascending order.
  package static var registry: [(code: StatusCode, entry: Entry)] {
    allCases.sorted { $0.rawValue < $1.rawValue }.map { ($0, $0.entry) }
  }

  package var entry: Entry {
    switch self {
    case .endOfVolume:
      Entry(
        .storageDaemon, answers: ["every request of a file daemon", "read data"],
        "Pending: ask with Query notification, read what it says, and ask again. End of volume: nothing, all blocks were read."
      )
    case .endOfFile:
      Entry(
        .storageDaemon, answers: ["read data"], "Nothing: all blocks of the session in this file were read.")
    case .directorOK:
      Entry(.director, answers: ["Hello", "every request of a console"], "Nothing: it is done.")
    case .directorBusy:
      Entry(
        .director, answers: ["Hello"],
        "Wait, or close connections; if it comes often, raise the limit that the reason names in dir.conf.")
    case .directorMistrusts:
      Entry(
        .director, answers: ["Hello"],
        "Compare Name, Password and the TLS directives on both sides; the listener's log tells what it was told and what was shown."
      )
    case .directorRefused:
      Entry(
        .director, answers: ["Hello", "every request of a console"],
        "Read the reason; it names what was asked for wrongly, or what failed.")
    case .fileDaemonOK:
      Entry(.fileDaemon, answers: ["Hello", "every request of a director"], "Nothing: it is done.")
    case .fileDaemonBusy:
      Entry(
        .fileDaemon, answers: ["Hello"],
        "Wait, or close connections; if it comes often, raise the limit that the reason names in fd.conf.")
    case .fileDaemonMistrusts:
      Entry(
        .fileDaemon, answers: ["Hello"],
        "Compare Name, Password and the TLS directives on both sides; the listener's log tells what it was told and what was shown."
      )
    case .fileDaemonFailed:
      Entry(
        .fileDaemon, answers: ["Hello", "every request of a director"],
        "Read the reason; it names the directory that is not allowed, the limit that is reached, or what failed.")
    case .storageOK:
      Entry(
        .storageDaemon, answers: ["Hello", "every request but read open session"], "Nothing: it is done.")
    case .readTicket: Entry(.storageDaemon, answers: ["read open session"], "Nothing: reading may begin.")
    case .volumeBusy:
      Entry(
        .storageDaemon, answers: ["job", "append open session", "append data"],
        "Wait: the job tries again. If it comes often, raise Maximum Concurrent Jobs of the Device or the Storage in sd.conf."
      )
    case .volumeNotMounted:
      Entry(
        .storageDaemon, answers: ["use device"],
        "Mount the Archive Device of the device, or make the directory: the job waits for it as long as the Reconnect Window says."
      )
    case .invalidTicket:
      Entry(
        .storageDaemon,
        answers: [
          "append data", "append end session", "append close session", "append abort session", "read data",
          "read close session",
        ], "Open a session first: the program that asked has lost count of its own.")
    case .sessionAborted:
      Entry(
        .storageDaemon, .fileDaemon,
        answers: [
          "attribute data", "end job", "append open session", "append data", "append end session",
          "append close session", "read open session", "read data", "backup",
        ],
        "Nothing, if the job goes on: it begins another attempt behind the last commit. Else read the reason, and run the job again."
      )
    case .notRecovered:
      Entry(
        .storageDaemon, answers: ["job", "replay", "read job"],
        "Nothing: the director lets the volumes be looked at, and asks again.")
    case .storageBusy:
      Entry(
        .storageDaemon, answers: ["Hello"],
        "Wait, or close connections; if it comes often, raise the limit that the reason names in sd.conf.")
    case .storageMistrusts:
      Entry(
        .storageDaemon, answers: ["Hello"],
        "Compare Name, Password and the TLS directives on both sides; the listener's log tells what it was told and what was shown."
      )
    case .storageRefused:
      Entry(
        .storageDaemon, answers: ["Hello", "every request"],
        "Read the reason; status 7 says that a volume is missing or damaged, and vault volume verify tells how much.")
    }
  }
}
