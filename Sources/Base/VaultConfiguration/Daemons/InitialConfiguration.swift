import VaultModel
import VaultSystem

/// The first configuration of a site: director, storage daemon, file daemon and console on one machine, ready to run.
package struct InitialConfiguration: Sendable {
  package enum Catalog: String, CaseIterable, Sendable {
    case sqlite
    case postgresql
  }

  /// Where the files go; absolute.
  package let directory: ByteString
  package let directorName: String
  package let clientName: String
  package let storageName: String
  package let catalog: Catalog
  /// The directory for volumes.
  package let store: ByteString

  /// - Parameters:
  ///   - hostName: what names are made of that are not given.
  ///   - store: the directory for volumes; nil for one beside the daemons' own files.
  package init(
    directory: ByteString, hostName: String, directorName: String?, clientName: String?, catalog: Catalog,
    store: ByteString?
  ) {
    let host = hostName.split(separator: ".").first.map(String.init) ?? "localhost"
    self.directory = directory
    self.directorName = directorName ?? "\(host)-dir"
    self.clientName = clientName ?? "\(host)-fd"
    storageName = "\(host)-sd"
    self.catalog = catalog
    self.store = store ?? Self.child(Self.state(of: directory), "volumes")
  }

  /// Where the daemons keep their own files: the system's place for a configuration below /etc; otherwise beside the
  /// configuration, so that a trial is one directory that one can throw away.
  private static func state(of directory: ByteString) -> ByteString {
    let isSystem = directory == "/etc" || directory.bytes.starts(with: Array("/etc/".utf8))
    return isSystem ? "/var/lib/vault" : child(directory, "state")
  }

  private static func child(_ directory: ByteString, _ name: String) -> ByteString {
    ByteString(directory.bytes + (directory.bytes.last == 0x2f ? [] : [0x2f]) + Array(name.utf8))
  }

  package func path(of role: ConfigurationRole) -> ByteString { Self.child(directory, role.fileName) }

  package func workingDirectory(of role: ConfigurationRole) -> ByteString {
    Self.child(Self.state(of: directory), role.rawValue)
  }

  /// The job that backs this machine up.
  package var jobName: String { "backup-\(clientName)" }

  /// Where restores go unless they are told otherwise.
  package static let restoreDirectory: ByteString = "/tmp/vault-restore"

  /// Whether the files are those that the units in etc/systemd start the daemons with.
  package var isForServices: Bool { path(of: .director) == ConfigurationRole.director.defaultPath }

  /// Directories that the daemons need; they make none themselves, since one may be a disk that is not mounted.
  package var neededDirectories: [ByteString] {
    [.director, .storageDaemon, .fileDaemon].map { workingDirectory(of: $0) } + [store]
  }

  /// Writes the files, durable and readable by their owner only, with fresh random keys.
  ///
  /// - Throws: `InitialConfigurationError.exists`: nothing is ever overwritten, and nothing was written; `SystemError`.
  package func write(using generator: inout some RandomNumberGenerator) throws {
    let keys = Keys(using: &generator)
    let isNew = try !Self.exists(directory)
    do throws(SystemError) {
      try DurableFiles.createDirectory(directory, mode: 0o700)
      try DurableFiles.create(
        ConfigurationRole.allCases.map { (path: path(of: $0), bytes: Array(text(of: $0, keys: keys).utf8)) })
    } catch {
      if isNew { try? DirectoryNames.removeDirectory(at: Descriptor.workingDirectory, directory) }
      guard error.errno == .fileExists, error.call == "open" || error.call == "rename" else { throw error }
      throw InitialConfigurationError.exists(error.object)
    }
  }

  private static func exists(_ path: ByteString) throws -> Bool {
    do {
      _ = try FileStatus.read(at: Descriptor.workingDirectory, name: path)
      return true
    } catch {
      guard error == .noSuchFileOrDirectory else { throw SystemError(error, call: "stat", object: path.displayText) }
      return false
    }
  }

  /// What the four share, two at a time.
  private struct Keys {
    let console: String
    let client: String
    let storage: String

    init(using generator: inout some RandomNumberGenerator) {
      console = Self.key(&generator)
      client = Self.key(&generator)
      storage = Self.key(&generator)
    }

    private static func key(_ generator: inout some RandomNumberGenerator) -> String {
      let bytes = (0..<Password.keyByteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      return "\"" + Password.keyText(bytes) + "\""
    }
  }
}

/// Why no configuration was written.
package enum InitialConfigurationError: DescribedError, Hashable {
  case exists(String)

  package var exitStatus: ExitStatus { .usage }

  package var description: String {
    switch self {
    case .exists(let path):
      "\(path) is there already: nothing was written. Name another directory, or move it away first."
    }
  }
}

// MARK: - The files

extension InitialConfiguration {
  private func text(of role: ConfigurationRole, keys: Keys) -> String {
    switch role {
    case .director: directorText(keys)
    case .storageDaemon: storageText(keys)
    case .fileDaemon: clientText(keys)
    case .console: consoleText(keys)
    }
  }

  private func directorText(_ keys: Keys) -> String {
    """
    # The director: it starts jobs, keeps the catalog and tells everyone what to do. vault.conf(5) describes every line.
    # This file holds keys: keep it readable by its owner only.

    Director {
      Name = \(word(directorName))
      Port = 9101
      Working Directory = \(path(workingDirectory(of: .director)))
      Maximum Concurrent Jobs = 20
      Messages = Standard
      # Shared with console.conf.
      Password = \(keys.console)
    }

    \(catalogText)

    # A machine to back up. Another one: copy this, give it a name, an address and a key of its own, and put the key into
    # its fd.conf.
    Client {
      Name = \(word(clientName))
      Address = localhost
      Port = 9102
      # Shared with fd.conf.
      Password = \(keys.client)
    }

    # The storage daemon. Clients dial this address too: name the host as they know it.
    Storage {
      Name = \(word(storageName))
      Address = localhost
      Port = 9103
      Device = FileStorage
      Media Type = File
      # Shared with sd.conf.
      Password = \(keys.storage)
    }

    Pool {
      Name = Default
      Storage = \(word(storageName))
      Maximum Volume Bytes = 4095 MiB
    }

    FileSet {
      Name = System
      Include {
        File = /etc, /home, /root
        Options { One FS = yes }
      }
      # Patterns as in a .gitignore file; the last ones are what the daemons themselves write.
      Exclude { File = "*.tmp", ".cache/", \(ownPatterns) }
    }

    # What the backups have in common.
    JobDefs {
      Name = Backups
      Type = Backup
      FileSet = System
      Pool = Default
      Messages = Standard
    }

    Job {
      Name = \(word(jobName))
      JobDefs = Backups
      Client = \(word(clientName))
    }

    Job {
      Name = restore
      Type = Restore
      Client = \(word(clientName))
      Where = \(Self.restoreDirectory.displayText)
    }

    Messages {
      Name = Standard
      Catalog = all
      Console = all, !skipped, !restored
      Append = \(path(Self.child(workingDirectory(of: .director), "dir.log"))) = all, !skipped, !restored
    }

    """
  }

  /// Patterns of the daemons' own directories and of the volumes: a backup that saved these would save itself.
  private var ownPatterns: String {
    [Self.state(of: directory), store].map { path(Self.child(PathPattern.escaping($0), "")) }.joined(separator: ", ")
  }

  private var catalogText: String {
    switch catalog {
    case .sqlite:
      """
      # What was saved where: a file in the Working Directory.
      Catalog {
        Name = Catalog
        DB Driver = SQLite
        DB Name = catalog.sqlite
      }
      """
    case .postgresql:
      """
      # What was saved where: a database on this machine, by the local socket. For a server elsewhere give DB Address,
      # DB Port and DB Password.
      Catalog {
        Name = Catalog
        DB Driver = PostgreSQL
        DB Name = vault
        DB User = vault
      }
      """
    }
  }

  private func storageText(_ keys: Keys) -> String {
    """
    # The storage daemon: it writes what clients send to volumes, and reads it back. vault.conf(5) describes every line.
    # This file holds keys: keep it readable by its owner only.

    Storage {
      Name = \(word(storageName))
      Port = 9103
      Working Directory = \(path(workingDirectory(of: .storageDaemon)))
      Maximum Concurrent Jobs = 20
      Messages = Standard
    }

    # Who may use it.
    Director {
      Name = \(word(directorName))
      Password = \(keys.storage)
    }

    # A directory for volumes; it must be there.
    Device {
      Name = FileStorage
      Media Type = File
      Archive Device = \(path(store))
    }

    Messages {
      Name = Standard
      Stdout = all
      Director = \(word(directorName)) = all
    }

    """
  }

  private func clientText(_ keys: Keys) -> String {
    """
    # The file daemon: it reads and writes this machine's files. vault.conf(5) describes every line.
    # This file holds keys: keep it readable by its owner only.

    FileDaemon {
      Name = \(word(clientName))
      Port = 9102
      Working Directory = \(path(workingDirectory(of: .fileDaemon)))
      # Nothing outside these is saved or restored; without the line everything may be.
      # Allowed Directories = /home, /srv
      Messages = Standard
    }

    # Who may use it.
    Director {
      Name = \(word(directorName))
      Password = \(keys.client)
      # Where nobody can dial this machine, it dials the director; say the same in the director's Client.
      # Connection From Director To Client = no
      # Connection From Client To Director = yes
      # Address = backup.example.com
    }

    Messages {
      Name = Standard
      Stdout = all, !skipped, !restored
      Director = \(word(directorName)) = all, !skipped, !restored
    }

    """
  }

  private func consoleText(_ keys: Keys) -> String {
    """
    # The operator's console. vault.conf(5) describes every line.
    # This file holds a key: keep it readable by its owner only.

    Director {
      Name = \(word(directorName))
      Address = localhost
      Port = 9101
      Password = \(keys.console)
    }

    """
  }

  private func word(_ name: String) -> String { ConfigurationText.word(name) }
  private func path(_ path: ByteString) -> String { ConfigurationText.string(path) }
}
