import SystemPackage
import VaultModel
import VaultProtocol

/// What went wrong with a device, a volume or a block.
///
/// A kind says what the caller can do: `.noSpace` asks for room, `.sessionAborted` for a new attempt, damage for a person.
package struct DeviceError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// A system call failed; the volume takes no more data when it was a write, a sync or a close.
    case io(call: String, errno: Errno)
    /// The device has no room for another block, nor for another volume.
    case noSpace
    /// What is needed of a volume that is to be rewritten does not fit beside it.
    case noRoomToRewrite
    /// A session has blocks on the volume that no commit covers yet, so that it cannot be rewritten.
    case volumeInUse
    /// The file system refuses files of the size that one block needs.
    case fileTooLarge
    /// The volume's file is not there.
    case volumeMissing
    /// The volume belongs to another repository.
    case volumeForeign
    /// The file is shorter than what was acknowledged.
    case volumeTruncated(expected: UInt64, found: UInt64)
    /// The file's first block is not a label.
    case damagedLabel
    /// Another volume's label was found under this volume's name.
    case labelMismatch(found: String, foundIdentifier: UniqueIdentifier)
    case damagedBlock(BlockDamage, BlockAddress)
    /// A commit that was acknowledged cannot be read back whole.
    case damagedCommit(session: UniqueIdentifier, number: UInt64)
    /// A newer program wrote it.
    case newerFormat(UInt16)
    /// The device has no volume with this identifier.
    case unknownVolume(UniqueIdentifier)
    /// The session was aborted, or a volume that holds what no commit covered has failed, with an error number when a call
    /// said one: what was not acknowledged must be sent again in a new attempt.
    case sessionAborted(Errno?)
    /// The volume is not in the state that appending needs; recovery brings it there.
    case notAppendable
    /// A group that does not belong where it was sent, or is damaged.
    case groupRefused(GroupRefusal)
    /// The session cannot end before its last groups are committed.
    case uncommittedGroups
    /// The commit is not on the volumes where it should be.
    case commitNotFound(session: UniqueIdentifier, number: UInt64)
    /// The device or the session is closed.
    case closed
  }

  /// Why bytes are not the block that they should be.
  package enum BlockDamage: Hashable, Sendable {
    /// No block begins here, or its header contradicts itself.
    case noHeader
    case checksumMismatch
    /// A block of another volume, left behind.
    case stale
    /// A whole block whose content is not what its kind says.
    case malformedContent
    /// The address lies outside the volume.
    case addressOutOfBounds
  }

  /// Why a group was not taken.
  package enum GroupRefusal: Hashable, Sendable {
    case malformed(FormatError)
    case wrongSession
    case wrongAttempt(expected: UInt32, found: UInt32)
    case wrongNumber(expected: UInt64, found: UInt64)
    /// Commit groups are the storage daemon's own.
    case wrongKind
    case wrongLength
    /// Longer than a block of this device.
    case tooLong
  }

  package let kind: Kind
  /// The volume's name; empty when no volume is concerned.
  package let volume: String

  package init(_ kind: Kind, volume: String = "") {
    self.kind = kind
    self.volume = volume
  }

  /// The error for a failed call on a volume that is being read or listed.
  init(_ error: StoreError, volume: String) {
    switch error.errno {
    case .noSpace, .diskQuotaExceeded: self.init(.noSpace, volume: volume)
    case .fileTooLarge: self.init(.fileTooLarge, volume: volume)
    case .noSuchFileOrDirectory: self.init(.volumeMissing, volume: volume)
    default: self.init(.io(call: error.call, errno: error.errno), volume: volume)
    }
  }

  package var exitStatus: ExitStatus {
    switch kind {
    case .volumeMissing, .volumeTruncated, .damagedLabel, .labelMismatch, .damagedBlock, .damagedCommit,
      .commitNotFound, .unknownVolume:
      .damaged
    case .volumeForeign, .newerFormat: .usage
    case .volumeInUse: .inUse
    case .io, .noSpace, .noRoomToRewrite, .fileTooLarge, .sessionAborted, .notAppendable, .groupRefused,
      .uncommittedGroups, .closed:
      .jobFailed
    }
  }
}

extension DeviceError {
  package var description: String {
    switch kind {
    case .io(let call, let errno):
      "Volume \(volume): \(call) failed: \(errno.description). What was acknowledged is safe; check the medium."
    case .noSpace:
      "No space is left on the device for volume \(volume). What was acknowledged is kept; make room and run again."
    case .noRoomToRewrite:
      "There is no room to rewrite volume \(volume): what is needed of it must fit beside it for a while."
        + " It was left as it is; make room and compact again."
    case .volumeInUse: "Volume \(volume) cannot be rewritten while a job writes to it. It was left as it is."
    case .fileTooLarge:
      "The file system refuses a file as large as volume \(volume) needs. Use a smaller volume size."
    case .volumeMissing: "Volume \(volume) is missing. Put its file back; everything on other volumes can be read."
    case .volumeForeign: "Volume \(volume) belongs to another repository; it was left alone. Move it away."
    case .volumeTruncated(let expected, let found):
      "Volume \(volume) is truncated: \(found) bytes of \(expected) are left. It was not changed; restore it from a copy."
    case .damagedLabel: "Volume \(volume) has no readable label. It was not changed; restore it from a copy."
    case .labelMismatch(let found, let identifier):
      "The file \(volume) holds volume \(found) (\(identifier)). Volumes were swapped; rename them back."
    case .damagedBlock(let damage, let address):
      "Volume \(volume), block \(address.block): \(damage.text). What other blocks hold can be read."
    case .damagedCommit(let session, let number):
      "Commit \(number) of session \(session) cannot be read back whole from its volumes. Verify the volumes."
    case .newerFormat(let version):
      "Volume \(volume) has format version \(version), which a newer program wrote. Use that program."
    case .unknownVolume(let identifier): "No volume \(identifier) is known here. Scan the volume that has it."
    case .sessionAborted(nil): "The session was aborted. What was acknowledged is safe; the rest is sent again."
    case .sessionAborted(let errno?):
      "The session is aborted because volume \(volume) failed: \(errno.description). What was acknowledged is safe;"
        + " the rest is sent again, onto another volume."
    case .notAppendable: "Volume \(volume) is not ready to be appended to. Start again, so that it is recovered."
    case .groupRefused(let refusal): "A record group was refused: \(refusal.text). The session is as it was before."
    case .uncommittedGroups: "The session cannot end: its last record groups are not committed."
    case .commitNotFound(let session, let number):
      "Commit \(number) of session \(session) was not found on its volumes. Verify the volumes."
    case .closed: "The device or the session is closed already."
    }
  }
}

extension DeviceError.BlockDamage {
  /// The damage in words.
  package var text: String {
    switch self {
    case .noHeader: "no block begins there"
    case .checksumMismatch: "the block does not match its checksum"
    case .stale: "a block of another volume lies there"
    case .malformedContent: "the block's content is malformed"
    case .addressOutOfBounds: "the address lies outside the volume"
    }
  }
}

extension DeviceError.GroupRefusal {
  fileprivate var text: String {
    switch self {
    case .malformed(let error): error.description
    case .wrongSession: "it belongs to another session"
    case .wrongAttempt(let expected, let found): "it is of attempt \(found), not \(expected)"
    case .wrongNumber(let expected, let found): "it has number \(found), not \(expected)"
    case .wrongKind: "commit groups are written by the storage daemon only"
    case .wrongLength: "its length is not what was announced"
    case .tooLong: "it is longer than a block"
    }
  }
}
