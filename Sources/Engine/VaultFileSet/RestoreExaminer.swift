import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// Looks at what a restore would find in its way, and changes nothing.
package struct RestoreExaminer: ~Copyable {
  /// What a restore would do with an entry.
  package enum Verdict: Hashable, Sendable {
    /// It is restored, and nothing is in its way.
    case restore
    /// It takes the place of what is there.
    case replace
    /// A directory is there and stays as it is.
    case use
    /// What is there would stay.
    case keep
  }

  /// Nil when there is no such directory yet: nothing is in the way then.
  private let target: RestoreTarget?
  private let path: ByteString
  private let policy: OverwritePolicy
  /// What would stay where directories belong, as stored paths: nothing can be restored below.
  private var blocked: Set<ByteString> = []
  private var stream = DirectoryStream()

  package init(target: RestoreTarget?, path: ByteString, policy: OverwritePolicy) {
    self.target = target
    self.path = path
    self.policy = policy
  }

  /// - Parameter replacing: whether the policy applies at all.
  /// - Throws: `.notADirectory` when the entry's directory could not be made, `.directoryInTheWay`.
  package mutating func examine(
    directory: ByteString, name: ByteString, attributes: FileAttributes, replacing: Bool = true
  ) throws(FileSetError) -> Verdict {
    guard let target, let parent = try open(directory) else { return .restore }
    let place = RestorePlace(
      target: target, directory: parent, directoryPath: directory, name: name, temporaryNumber: 0)
    guard let existing = try place.existing() else { return .restore }
    let isReplaced = replacing && policy.replaces(existing, with: attributes.modified)
    if existing.type == .directory {
      if attributes.type == .directory { return isReplaced ? .restore : .use }
      guard isReplaced else { return .keep }
      guard isEmpty(place) else { throw FileSetError(.directoryInTheWay, place.shown, .directoryNotEmpty) }
      return .replace
    }
    if attributes.type == .directory, !isReplaced { blocked.insert(Self.join(directory, name)) }
    return isReplaced ? .replace : .keep
  }

  /// The open directory; nil when it is not there, or something makes way for it.
  private func open(_ directory: ByteString) throws(FileSetError) -> SharedDescriptor? {
    guard let target else { return nil }
    guard directory.bytes.withUnsafeBytes({ NameRules.isAbsolutePath($0) }) else {
      throw FileSetError(.unsafeName, directory)
    }
    var current = target.root
    for (offset, component) in Self.components(directory) {
      do throws(SystemError) {
        current = SharedDescriptor(
          try Descriptor.open(at: current.number, component, [.pathOnly, .directory, .noFollow]))
      } catch {
        if error.errno == .noSuchFileOrDirectory { return nil }
        let way = ByteString(directory.bytes[..<offset])
        let isInTheWay = error.errno == .notDirectory || error.errno == .tooManySymbolicLinkLevels
        if isInTheWay, !blocked.contains(way) { return nil }
        throw FileSetError(isInTheWay ? .notADirectory : .createDirectory, target.shownPath(way), error.errno)
      }
    }
    return current
  }

  /// The names on the way, and where each ends.
  private static func components(_ path: ByteString) -> [(end: Int, name: ByteString)] {
    path.bytes.split(separator: 0x2f).map { ($0.endIndex, ByteString($0)) }
  }

  private mutating func isEmpty(_ place: RestorePlace) -> Bool {
    do throws(SystemError) {
      let directory = try Descriptor.open(at: place.directory.number, place.name, [.readOnly, .directory, .noFollow])
      return (try? stream.isEmpty(directory.rawValue)) ?? false
    } catch { return false }
  }

  private static func join(_ directory: ByteString, _ name: ByteString) -> ByteString {
    ByteString(directory == "/" ? [0x2f] + name.bytes : directory.bytes + [0x2f] + name.bytes)
  }
}
