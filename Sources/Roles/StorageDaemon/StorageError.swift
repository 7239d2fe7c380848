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
    case notFound
    /// Of rewriting a volume, out of turn.
    case notRewriting
    case alreadyRewriting
    case unknownRequest(String)
    case noDeviceChosen
    case noSuchDevice(String)
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
    case .sessionBusy, .alreadyRewriting, .deviceBusy, .tooManyJobs: .volumeBusy
    case .notMounted: .volumeNotMounted
    case .notRecovered: .notRecovered
    case .noDeviceChosen, .noSuchDevice, .badVolumePrefix: .storageRefused
    case .invalidTicket: .invalidTicket
    case .sessionAborted, .unknownJob: .sessionAborted
    case .notFound: .sessionAborted
    case .unknownRequest, .notRewriting: .storageRefused
    }
  }

  var exitStatus: ExitStatus {
    switch kind {
    case .sessionAborted: .jobFailed
    default: .unreachable
    }
  }

  var description: String {
    switch kind {
    case .unknownJob: "No director announced this job here."
    case .sessionBusy: "A session of this job is open already."
    case .invalidTicket: "The ticket is unknown or closed."
    case .sessionAborted(let reason): "The session was aborted: \(reason)"
    case .notFound: "The session is not on this volume."
    case .noDeviceChosen: "No device was chosen for this request."
    case .noSuchDevice(let name): "There is no device '\(name)' here. Compare the Device in the director's Storage with sd.conf."
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
    case let error as StorageError: Reply(error.code, refusing: error)
    case let error as any DescribedError: Reply(.storageRefused, refusing: error)
    default: Reply(.storageRefused, refusing: StorageError(.sessionAborted("\(error)")))
    }
  }
}
