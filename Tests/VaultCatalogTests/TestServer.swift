import Glibc
import Synchronization
import VaultCatalog
import VaultModel

/// A PostgreSQL server of the tests' own: an unprivileged user's, on a socket in a private directory.
final class TestServer: Sendable {
  /// The one that the tests of this process share; it goes when the process ends.
  static let shared = Result { () throws(TestFailure) in try TestServer() }

  static let superuser = "server_owner"
  static let role = "vault"
  static let database = "catalogs"
  static let password = "it's a \"secret\" \\ "

  let directory: String
  private let binaries: String
  private let process = Mutex<pid_t>(0)
  private let schemaCount = Atomic<Int>(0)

  init() throws(TestFailure) {
    binaries = try Self.findBinaries()
    var template = Array("/tmp/vault-postgres-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    endOfProcess.withLock { $0.append(self) }
    if getuid() == 0 { _ = try Self.output(of: ["chown", "nobody:nogroup", directory]) }
    _ = try Self.output(
      of: unprivileged + [
        binaries + "/initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", Self.superuser,
        "-D", directory + "/data",
      ])
    try writeRules()
    try start()
    do {
      try PostgreSQLCatalog.initialize(
        superuser: administrator, role: Self.role, database: Self.database, password: Self.password)
    } catch { throw TestFailure("\(error)") }
  }

  /// The owner comes without a password, everybody else needs one.
  private func writeRules() throws(TestFailure) {
    let rules = "local all \(Self.superuser) trust\nlocal all all scram-sha-256\n"
    do { try writeFile(directory + "/data/pg_hba.conf", Array(rules.utf8)) } catch { throw TestFailure("\(error)") }
  }

  private static func findBinaries() throws(TestFailure) -> String {
    let found = try output(of: [
      "sh", "-c", "ls -d /usr/lib/postgresql/*/bin 2>/dev/null; dirname \"$(command -v initdb)\"",
    ])
    for line in found.split(separator: "\n").reversed() where access(line + "/initdb", X_OK) == 0 {
      return String(line)
    }
    throw TestFailure("There is no PostgreSQL server here: install the package postgresql (`make deps` does).")
  }

  private var unprivileged: [String] {
    getuid() == 0 ? ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] : []
  }

  // MARK: Its life

  /// Starts the server and waits until it answers.
  func start() throws(TestFailure) {
    let arguments =
      unprivileged + [
        binaries + "/postgres", "-D", directory + "/data", "-k", directory, "-c", "listen_addresses=", "-c",
        "fsync=off", "-c", "max_connections=90", "-c", "shared_buffers=64MB", "-c", "restart_after_crash=on",
      ]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, directory + "/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var identifier: pid_t = 0
    guard posix_spawnp(&identifier, arguments[0], &actions, nil, &pointers, environ) == 0 else {
      throw TestFailure("posix_spawn: errno \(errno)")
    }
    process.withLock { $0 = identifier }
    while (try? sql("SELECT 1", database: "postgres")) == nil {
      guard waitpid(identifier, nil, WNOHANG) == 0 else { throw TestFailure("the server ended: see \(directory)/log") }
      usleep(5000)
    }
  }

  /// Ends the server: in order (`SIGINT`) or not at all (`SIGKILL`).
  func stop(_ signal: Int32 = SIGINT) {
    let identifier = process.withLock { identifier in
      defer { identifier = 0 }
      return identifier
    }
    guard identifier > 0 else { return }
    let children = signal == SIGKILL ? (try? Self.output(of: ["pgrep", "-P", "\(identifier)"])) ?? "" : ""
    kill(identifier, signal)
    for child in children.split(separator: "\n") { if let child = pid_t(child) { kill(child, signal) } }
    waitpid(identifier, nil, 0)
    // What is left of a killed server holds its shared memory for a moment longer.
    for child in children.split(separator: "\n") {
      while let child = pid_t(child), kill(child, 0) == 0 { usleep(1000) }
    }
  }

  func remove() {
    stop(SIGQUIT)
    _ = try? Self.output(of: ["rm", "-rf", directory])
  }

  // MARK: Ways to it

  var administrator: PostgreSQLParameters {
    PostgreSQLParameters(socketDirectory: directory, database: "postgres", user: Self.superuser, schema: "public")
  }

  func parameters(schema: String) -> PostgreSQLParameters {
    PostgreSQLParameters(
      socketDirectory: directory, database: Self.database, user: Self.role, password: Self.password, schema: schema)
  }

  /// A schema that no other test has.
  func newSchema() -> String { "vault_test_\(schemaCount.wrappingAdd(1, ordering: .relaxed).newValue)" }

  func open(schema: String, options: PostgreSQLOptions = PostgreSQLOptions()) throws -> PostgreSQLCatalog {
    try PostgreSQLCatalog.open(
      parameters(schema: schema), newRepository: CatalogEngine.repository, options: options)
  }

  /// What the standard tool says to a statement: a row a line, columns with bars between.
  func sql(_ statement: String, database: String = TestServer.database) throws(TestFailure) -> String {
    try Self.output(
      of: [
        "psql", "-X", "-h", directory, "-U", Self.superuser, "-d", database, "-v", "ON_ERROR_STOP=1", "-At", "-c",
        statement,
      ])
  }

  /// Runs a command and returns what it says, without the last line's end.
  static func output(of command: [String]) throws(TestFailure) -> String {
    let quoted = command.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
    guard let stream = popen(quoted + " 2>&1", "re") else { throw TestFailure("popen: errno \(errno)") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 { bytes += chunk[..<count] }
    let text = String(decoding: bytes, as: UTF8.self)
    guard pclose(stream) == 0 else { throw TestFailure("\(command.first ?? ""): \(text)") }
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}

/// Servers to end with the process.
private let endOfProcess: Mutex<[TestServer]> = {
  atexit { for server in endOfProcess.withLock({ $0 }) { server.remove() } }
  return Mutex([])
}()
