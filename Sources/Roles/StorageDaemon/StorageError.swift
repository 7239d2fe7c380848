import VaultDevice
import VaultModel
import VaultProtocol

/// Why the storage daemon refuses a request.
struct StorageError: DescribedError, Hashable {
  enum Kind: Hashable, Sendable {
    case unknownJob
    case sessionBusy
    case invalidTicket
    case sessionAborted(String)
    /// No further data is taken.
    case sessionEnded
    /// The session's data did not come to its end yet.
    case dataFlows
    case notFound
    case wrongPassword
    /// As many sessions are open on the connection as may be.
    case tooManySessions(Int)
    /// What came on a data channel and has no place there.
    case badData(String)
    case notificationPending
    /// The name or the UUID of a volume that is not here.
    case volumeNotMounted(String)
    case endOfVolume
    case endOfFile
    /// A block before the least that may be asked for.
    case blockOrder(BlockAddress)
    /// Of rewriting a volume, out of turn.
    case notRewriting
    case alreadyRewriting
    case unknownRequest(String)
    case noDeviceChosen
    case noSuchDevice(String)
    /// The device, what kind of volumes it has, and what kind the director thinks it has.
    case wrongMediaType(String, String, String)
    case badVolumePrefix(String)
    /// The device, and why its directory cannot be used.
    case notMounted(String, String)
    /// What the device holds was not compared with the director's catalog yet.
    case notRecovered
    /// As many jobs run on the device as its configuration lets.
    case deviceBusy(String, Int)
    /// As many jobs run as the storage daemon's configuration lets.
    case tooManyJobs(Int)
  }

  let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var code: StatusCode {
    switch kind {
    case .sessionBusy, .alreadyRewriting, .sessionEnded, .dataFlows, .tooManySessions, .deviceBusy, .tooManyJobs:
      .volumeBusy
    case .notMounted, .volumeNotMounted: .volumeNotMounted
    case .notificationPending, .endOfVolume: .endOfVolume
    case .endOfFile: .endOfFile
    case .notRecovered: .notRecovered
    case .noDeviceChosen, .noSuchDevice, .wrongMediaType, .badVolumePrefix: .storageRefused
    case .invalidTicket: .invalidTicket
    case .sessionAborted, .unknownJob: .sessionAborted
    case .notFound: .sessionAborted
    case .unknownRequest, .notRewriting, .wrongPassword, .badData, .blockOrder: .storageRefused
    }
  }

  /// The seed's words for the code: some codes have two meanings.
  var phrase: String {
    switch code {
    case .endOfVolume: kind == .notificationPending ? "Notification pending" : "End of volume"
    case .sessionAborted: kind == .unknownJob || kind == .notFound ? "Session not found" : "Session aborted"
    default: code.phrase
    }
  }

  var exitStatus: ExitStatus {
    switch kind {
    case .sessionAborted, .badData: .jobFailed
    case .volumeNotMounted, .endOfVolume, .endOfFile: .damaged
    // Nobody mends these by asking again.
    case .noSuchDevice, .badVolumePrefix, .wrongMediaType: .usage
    default: .unreachable
    }
  }

  var description: String {
    switch kind {
    case .unknownJob: "No director announced this job here."
    case .sessionBusy: "A session of this job is open already."
    case .invalidTicket: "The ticket is unknown or closed."
    case .sessionAborted(let reason): "The session was aborted: \(reason)"
    case .sessionEnded: "The session was ended: no further data is taken."
    case .dataFlows: "The session's data did not come to its end yet."
    case .notFound: "The session is not there on this volume, or not for this client."
    case .wrongPassword: "The password is missing, or another one is needed."
    case .tooManySessions(let limit): "\(limit) sessions are open on this connection, and no more may be."
    case .badData(let what): "The data channel carries what has no place there: \(what)."
    case .notificationPending: "A notification is pending: nothing was done. Ask with 'Query notification', then again."
    case .volumeNotMounted(let volume): "Volume \(volume) is not here. Put its file back, or scan it."
    case .endOfVolume: "The volume has no block there: its last one lies before."
    case .endOfFile: "The block lies behind the last that the session was opened with."
    case .blockOrder(let least): "Blocks are read in ascending order: \(least.file).\(least.block) is the least now."
    case .noDeviceChosen: "No device was chosen for this request."
    case .noSuchDevice(let name):
      "There is no device '\(name)' here. Compare the Device in the director's Storage with sd.conf, change one of them, and run "
        + "the job again."
    case .wrongMediaType(let device, let own, let wanted):
      "Device '\(device)' has volumes of the Media Type \(own) here, and the director's Storage says \(wanted)."
    case .badVolumePrefix(let prefix): "'\(prefix)' cannot begin the names of volumes."
    case .notMounted(let device, let reason):
      "The directory of device '\(device)' cannot be used: \(reason) Mount it, or make it."
    case .notRecovered: "What the volumes hold beyond the catalog was not looked at yet."
    case .deviceBusy(let device, let limit): "\(limit) jobs run on device '\(device)', and no more may."
    case .tooManyJobs(let limit): "\(limit) jobs run on this storage daemon, and no more may."
    case .notRewriting: "No volume is being rewritten for this connection."
    case .alreadyRewriting: "A volume is being rewritten for this connection already."
    case .unknownRequest(let verb): "The request '\(verb)' is not one that this daemon knows from this peer."
    }
  }
}

extension StorageError {
  /// The error that ends a session: as *session aborted* when another attempt may succeed, else as it is.
  static func abortion(_ error: any Error) -> any Error {
    guard let error = error as? DeviceError else { return error }
    switch error.kind {
    case .io, .sessionAborted: return StorageError(.sessionAborted(error.description))
    default: return error
    }
  }
}

extension Reply {
  /// The refusal of any error, with the code that fits it.
  static func refusing(_ error: any Error) -> Reply {
    switch error {
    case let error as StorageError: Reply(error.code, error.phrase, refusing: error)
    case let error as DeviceError where error.isOfMissingVolume:
      Reply(.volumeNotMounted, StatusCode.volumeNotMounted.phrase, refusing: error)
    case let error as any DescribedError: Reply(.storageRefused, refusing: error)
    default: Reply(.storageRefused, refusing: StorageError(.sessionAborted("\(error)")))
    }
  }
}

extension StatusCode {
  /// The seed's words for a refusal with the code.
  fileprivate var phrase: String {
    switch self {
    case .endOfFile: "End of file"
    case .volumeBusy: "Volume busy"
    case .volumeNotMounted: "Volume not mounted"
    case .invalidTicket: "Invalid ticket number"
    default: "Failed"
    }
  }
}

extension DeviceError {
  fileprivate var isOfMissingVolume: Bool {
    switch kind {
    case .volumeMissing, .unknownVolume: true
    default: false
    }
  }
}
