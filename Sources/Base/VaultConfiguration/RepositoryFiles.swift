import SystemPackage
import VaultModel
import VaultSystem

/// The files of a repository: `repository.conf`, `lock`, `catalog.sqlite` and `volumes/`.
package struct RepositoryFiles: Sendable {
  package enum Access: Sendable {
    /// Makes the repository when there is none.
    case createIfMissing
    case existing
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

  package var exitStatus: ExitStatus {
    switch self {
    case .missing: .notFound
    case .notARepository: .usage
    case .catalogMissing: .damaged
    }
  }

  package var description: String {
    switch self {
    case .missing(let path): "\(path.displayText): there is no repository."
    case .notARepository(let path):
      "\(path.displayText) is not a vault repository (it has no repository.conf) and not an empty directory; nothing was changed. Name another directory."
    case .catalogMissing(let path):
      "\(path.displayText): catalog.sqlite is missing though there are volumes. 'vault volume scan \(path.displayText)/volumes --to \(path.displayText)' rebuilds it from them."
    }
  }
}
