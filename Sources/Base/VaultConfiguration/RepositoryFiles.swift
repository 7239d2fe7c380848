import SystemPackage
import VaultModel
import VaultSystem

/// The files of a repository: `repository.conf`, `lock`, `catalog.sqlite` and `volumes/`.
package struct RepositoryFiles: Sendable {
  package enum Access: Sendable {
    /// Makes the repository when there is none.
    case createIfMissing
    case existing
    /// Only looks: the repository, or that there is none, stays as it is.
    case unchanged
  }

  package let path: ByteString

  package init(path: ByteString) { self.path = path }

  package var lockPath: ByteString { child("lock") }
  package var volumesPath: ByteString { child("volumes") }
  package var catalogPath: ByteString { child("catalog.sqlite") }
  package var configurationPath: ByteString { child("repository.conf") }

  private func child(_ name: String) -> ByteString { ByteString(path.bytes + [0x2f] + Array(name.utf8)) }

  /// What a crash between the first directory and the configuration may leave, or a new disk has.
  private static let harmlessNames: Set<String> = ["lock", "volumes", "repository.conf.new", "lost+found"]

  /// Finds the repository, or makes it when it may: the configuration comes last, so that nothing half-made looks whole.
  ///
  /// - Parameter configuration: what a new repository gets.
  /// - Throws: `RepositoryError`, `SystemError`.
  package static func prepare(
    _ path: ByteString, access: Access, configuration: @autoclosure () -> RepositoryConfiguration
  ) throws -> RepositoryFiles {
    let files = RepositoryFiles(path: path)
    if try exists(files.configurationPath) { return files }
    guard access == .createIfMissing else {
      throw try exists(path) ? RepositoryError.notARepository(path) : RepositoryError.missing(path)
    }
    do throws(SystemError) { try DurableFiles.createDirectory(path, mode: 0o700) } catch {
      throw error.errno == .notDirectory ? RepositoryError.notARepository(path) : error
    }
    guard Set(try DurableFiles.names(in: path)).isSubset(of: harmlessNames) else {
      throw RepositoryError.notARepository(path)
    }
    try DurableFiles.createDirectory(files.volumesPath, mode: 0o700)
    try DurableFiles.write(configuration().render(), to: files.configurationPath)
    return files
  }

  /// Whether the directory is a repository.
  package var exists: Bool { get throws { try Self.exists(configurationPath) } }
  package var hasCatalog: Bool { get throws { try Self.exists(catalogPath) } }
  package var hasVolumes: Bool { get throws { try !DurableFiles.names(in: volumesPath).isEmpty } }

  /// Reads `repository.conf`.
  package func configuration() throws -> RepositoryConfiguration {
    try RepositoryConfiguration(
      reading: try DurableFiles.read(configurationPath, limit: 1 << 20), file: configurationPath)
  }

  /// Whether there is a repository, or else nothing in the way of making one. Changes nothing.
  ///
  /// - Throws: `RepositoryError.notARepository` for a directory of somebody else's, and why none could be made.
  package static func look(_ path: ByteString) throws -> Bool {
    let files = RepositoryFiles(path: path)
    if try files.exists { return true }
    guard try exists(path) else {
      // As making it would fail.
      _ = try Descriptor.open(parent(of: path), [.pathOnly, .directory])
      return false
    }
    do throws(SystemError) {
      guard Set(try DurableFiles.names(in: path)).isSubset(of: harmlessNames) else {
        throw SystemError(.notDirectory, call: "open", object: path.displayText)
      }
      return false
    } catch {
      throw error.errno == .notDirectory ? RepositoryError.notARepository(path) : error
    }
  }

  private static func parent(of path: ByteString) -> ByteString {
    var bytes = path.bytes
    while bytes.count > 1, bytes.last == 0x2f { bytes.removeLast() }
    guard let cut = bytes.lastIndex(of: 0x2f) else { return "." }
    return ByteString(bytes[..<max(1, cut)])
  }

  private static func exists(_ path: ByteString) throws -> Bool {
    do {
      _ = try Descriptor.open(path, [.pathOnly])
      return true
    } catch {
      if error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory { return false }
      throw error
    }
  }
}

/// Why a directory is not the repository that a command needs.
package enum RepositoryError: DescribedError, Hashable {
  case missing(ByteString)
  case notARepository(ByteString)
  case catalogMissing(ByteString)
  /// What an interrupted process left must be put in order first, and that would change files.
  case notInOrder(ByteString)

  package var exitStatus: ExitStatus {
    switch self {
    case .missing: .notFound
    case .notARepository: .usage
    case .catalogMissing: .damaged
    case .notInOrder: .jobFailed
    }
  }

  package var description: String {
    switch self {
    case .missing(let path): "\(path.displayText): there is no repository."
    case .notARepository(let path):
      "\(path.displayText) is not a vault repository (it has no repository.conf) and not an empty directory; nothing was changed. Name another directory."
    case .notInOrder(let path):
      "\(path.displayText) was left by a process that did not end in order, and a dry run changes nothing. 'vault local jobs --from \(path.displayText)' puts it in order; then run this again."
    case .catalogMissing(let path):
      "\(path.displayText): catalog.sqlite is missing though there are volumes. 'vault volume scan \(path.displayText)/volumes --to \(path.displayText)' rebuilds it from them."
    }
  }
}
