import struct SystemPackage.Errno
import VaultModel

/// Something about a file or a directory that this module could not do.
package struct FileSetError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// A path that was given is empty or holds a NUL.
    case invalidPath
    /// A stored path or name could lead out of the target, or is none at all.
    case unsafeName
    case openTarget
    /// Something on the way is not a directory, perhaps a symbolic link.
    case notADirectory
    case createDirectory
    case createFile
    case writeFile
    case createLink
    /// The first name of a hard link no longer stands for the file that was restored.
    case linkPartnerChanged
    case giveName
    /// A directory with something in it stands where a file belongs.
    case directoryInTheWay
    case finishDirectory
    /// What was restored is not on stable storage.
    case syncTarget
    /// Sorting a large directory needs a temporary file.
    case temporaryFile
  }

  package let kind: Kind
  /// Nil when no call failed.
  package let errno: Errno?
  package let path: ByteString

  package init(_ kind: Kind, _ path: ByteString, _ errno: Errno? = nil) {
    self.kind = kind
    self.path = path
    self.errno = errno
  }

  package var exitStatus: ExitStatus {
    switch kind {
    case .invalidPath: .usage
    case .openTarget, .temporaryFile: .jobFailed
    default: .doneWithProblems
    }
  }

  package var description: String {
    let reason = errno.map { ": \($0.description)" } ?? ""
    return "\(path.displayText): \(sentence)\(reason). \(advice)"
  }

  private var sentence: String {
    switch kind {
    case .invalidPath: "is not a path"
    case .unsafeName: "this stored name could lead out of the target directory and was refused"
    case .openTarget: "cannot be opened as the target directory"
    case .notADirectory: "is not a directory; symbolic links are not followed"
    case .createDirectory: "cannot make the directory"
    case .createFile: "cannot make the file"
    case .writeFile: "cannot write the file"
    case .createLink: "cannot make the link"
    case .linkPartnerChanged: "was changed by somebody else since it was restored, so nothing was linked to it"
    case .giveName: "cannot give the restored file its name"
    case .directoryInTheWay: "a directory that is not empty has this name and was kept"
    case .finishDirectory: "cannot set the directory's owner, mode and times"
    case .syncTarget: "what was restored here could not be brought onto the disk"
    case .temporaryFile: "cannot keep a large directory's names in a temporary file here"
    }
  }

  private var advice: String {
    switch kind {
    case .invalidPath: "Give a path that is not empty."
    case .openTarget: "Nothing was restored; check the path and its permissions."
    case .temporaryFile: "The job stopped; make room or set TMPDIR, and run it again."
    case .finishDirectory: "What is in it was restored."
    case .syncTarget: "Files may be damaged or missing; check the disk and restore again."
    case _ where errno == .notPermitted:
      "It was not restored; what was there is unchanged. An immutable or append-only file or directory is left as it is: "
        + "see lsattr(1)."
    default: "It was not restored; what was there is unchanged."
    }
  }
}

extension FileSetError {
  /// Runs system calls; what they throw becomes this error.
  @inline(__always)
  static func wrapping<Value: ~Copyable>(
    _ kind: Kind, _ path: @autoclosure () -> ByteString, _ body: () throws(Errno) -> Value
  ) throws(FileSetError) -> Value {
    do throws(Errno) { return try body() } catch { throw FileSetError(kind, path(), error) }
  }
}
