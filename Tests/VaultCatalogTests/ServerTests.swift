import Glibc
import Testing
import VaultCatalog
import VaultModel

/// The catalog on a server: opening, refusing, hostile names, foreign eyes.
@Suite struct ServerTests {
  private let server: TestServer

  init() throws { server = try TestServer.shared.get() }

  @Test func aSchemaIsOneDirectors() throws {
    let (first, second) = (server.newSchema(), server.newSchema())
    let catalog = try server.open(schema: first)
    let other = try server.open(schema: second)
    _ = try catalog.makeJob()
    #expect(try other.jobs(of: nil).isEmpty && other.makeJob().description.number == 1)
    let error = #expect(throws: CatalogError.self) { _ = try server.open(schema: first) }
    #expect(error?.kind == .busy && error?.exitStatus == .inUse)
    try catalog.close()
    let again = try server.open(schema: first)
    #expect(again.repository == CatalogEngine.repository)
    #expect(try again.jobs(of: nil).count == 1)
    try again.close()
    try other.close()
  }

  @Test(arguments: [
    "plain", "Upper Case", "a\"b", "'; DROP SCHEMA public CASCADE; --", "naïve-dir", "\\x", "$1",
    String(repeating: "long", count: 40), String(repeating: "long", count: 39) + "lonG", "",
  ]) func namesOfDirectorsAreOnlyNames(name: String) throws {
    let schema = PostgreSQLParameters.schema(ofDirector: name)
    #expect(schema.utf8.count <= 63 && schema.hasPrefix("vault_"))
    let catalog = try server.open(schema: schema)
    _ = try catalog.makeJob()
    try catalog.close()
    let quoted = schema.replacing("'", with: "''")
    #expect(try server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = '\(quoted)'") == "1")
    #expect(try server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'") == "1")
  }

  @Test func longNamesStayApart() {
    let names = (0..<100).map { String(repeating: "n", count: 80) + "\($0)" }
    #expect(Set(names.map { PostgreSQLParameters.schema(ofDirector: $0) }).count == 100)
  }

  @Test func initializingTwiceIsInitializingOnce() throws {
    let (role, database) = ("o'\"role; --", "data \"base\" '; --")
    for password in ["first", "second '\"\\ word"] {
      try PostgreSQLCatalog.initialize(
        superuser: server.administrator, role: role, database: database, password: password)
      var parameters = server.parameters(schema: "vault_x")
      parameters.database = database
      parameters.user = role
      parameters.password = password
      try PostgreSQLCatalog.open(parameters, newRepository: session(1)).close()
      parameters.password = "wrong"
      #expect(throwsKind(.refused) { _ = try PostgreSQLCatalog.open(parameters, newRepository: session(1)) })
    }
    let isSuper = try server.sql(
      "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'o''\"role; --'")
    #expect(isSuper == "f|f|f")
    #expect(
      throwsKind(.conflict) {
        try PostgreSQLCatalog.initialize(
          superuser: server.administrator, role: TestServer.superuser, database: database, password: "x")
      })
    #expect(
      throwsKind(.outOfRange) {
        try PostgreSQLCatalog.initialize(
          superuser: server.administrator, role: String(repeating: "r", count: 64), database: database, password: "x")
      })
  }

  @Test func whatIsRefusedSaysSo() throws {
    func refusal(_ change: (inout PostgreSQLParameters) -> Void) throws -> CatalogError? {
      var parameters = server.parameters(schema: server.newSchema())
      change(&parameters)
      return #expect(throws: CatalogError.self) {
        _ = try PostgreSQLCatalog.open(parameters, newRepository: session(1))
      }
    }
    let password = try refusal { $0.password = "no such secret" }
    #expect(password?.kind == .refused && password?.exitStatus == .unreachable)
    #expect(password?.description.contains("password authentication failed") == true)
    #expect(password?.description.contains("no such secret") == false)
    let database = try refusal { $0.database = "nowhere dbname=postgres" }
    #expect(database?.kind == .refused && database?.description.contains("nowhere") == true)
    let away = try refusal { $0.socketDirectory = "/nonexistent" }
    #expect(away?.kind == .unreachable && away?.exitStatus == .unreachable)
    let permission = try refusal {
      $0.database = "postgres"
      $0.schema = "forbidden"
    }
    #expect(permission?.kind == .refused)
    let parameters = server.parameters(schema: "x")
    #expect(!"\(parameters)".contains(TestServer.password))
    var dumped = ""
    dump(parameters, to: &dumped)
    #expect(!dumped.contains("secret"))
  }

  @Test func newerAndForeignSchemasAreRefused() throws {
    let schema = server.newSchema()
    try server.open(schema: schema).close()
    _ = try server.sql("UPDATE \(schema).repository SET schema_version = 77")
    let error = #expect(throws: CatalogError.self) { _ = try server.open(schema: schema) }
    #expect(error?.kind == .newerSchema(found: 77, known: 4) && error?.exitStatus == .usage)
    let foreign = server.newSchema()
    _ = try server.sql("CREATE SCHEMA \(foreign) AUTHORIZATION vault CREATE TABLE mine(a int)")
    #expect(throwsKind(.notACatalog) { _ = try server.open(schema: foreign) })
  }

  @Test func aForeignToolSeesTheRows() throws {
    let schema = server.newSchema()
    let catalog = try server.open(schema: schema)
    let job = try catalog.makeJob()
    try catalog.stage(
      job, [("/etc/hosts", .sealed(fileEntry("hosts"), sealed())), ("/etc/x", .whole(directoryEntry("x")))])
    try catalog.publish(job)
    let next = try catalog.makeJob(.incremental, base: 1)
    try catalog.stage(next, [("/etc/hosts", .deletion)])
    try catalog.publish(next)
    let rows = try server.sql(
      """
      SELECT encode(d.key, 'escape'), convert_from(e.name, 'UTF8'), e.first, e.last, e.content_index, e.inode
      FROM \(schema).entry AS e JOIN \(schema).directory AS d ON d.id = e.directory ORDER BY e.name
      """)
    #expect(rows == "\\000etc|hosts|1|2|1|7\n\\000etc|x|1|||3")
    #expect(try server.sql("SELECT number, status, last_commit FROM \(schema).job ORDER BY 1") == "1|T|1\n2|T|1")
    #expect(try server.sql("SELECT count(*) FROM \(schema).stage") == "0")
    try catalog.close()
  }

  /// Whatever stands in the tables, a call returns or throws.
  @Test(arguments: [
    "UPDATE job SET status = 'long'", "UPDATE job SET level = ''", "UPDATE job SET paths = '\\xffffff'",
    "UPDATE job SET attempt = -1", "UPDATE session SET uuid = '\\x00'", "UPDATE entry_current SET attributes = ''",
    "UPDATE entry_current SET attributes = '\\x0102'", "UPDATE entry_current SET content_session = 999",
    "UPDATE entry_current SET first = -4", "UPDATE entry_current SET extents = '\\x00'",
    "ALTER TABLE job ALTER attempt TYPE text USING 'x'",
    "ALTER TABLE job ALTER attempt DROP NOT NULL; UPDATE job SET attempt = NULL",
    "ALTER TABLE job ALTER level TYPE bytea USING '\\xff'", "DROP TABLE stage", "ALTER TABLE job DROP COLUMN ended",
    "ALTER TABLE entry_current DROP COLUMN extents CASCADE", "ALTER TABLE volume ALTER labeled TYPE int4 USING 1",
    "UPDATE volume SET status = 'Odd', end_file = -1", "DELETE FROM session", "DELETE FROM repository",
  ]) func damageIsAnError(statement: String) throws {
    let schema = server.newSchema()
    let catalog = try server.open(schema: schema)
    let job = try catalog.makeJob()
    try catalog.stage(
      job, [("/a", .sealed(fileEntry("a"), sealed()))], locations: [location(1, entry: 1, offset: 0)])
    try catalog.publish(job)
    _ = try server.sql(
      """
      SET search_path = \(schema); SET session_replication_role = replica; \(statement)
      """)
    var failures: [CatalogError] = []
    func attempt(_ body: () throws -> Void) throws {
      do { try body() } catch let error as CatalogError { failures.append(error) }
    }
    try attempt { _ = try catalog.jobs(of: nil) }
    try attempt { _ = try catalog.state(1) }
    try attempt { _ = try catalog.volumes() }
    try attempt { _ = try catalog.selection(.state(tree: tree, sequence: 1), [], .contents) }
    try attempt { _ = try catalog.readVersions(of: tree, at: position("/a"), before: nil, limit: 5) { _ in } }
    try attempt { _ = try catalog.unneededVolumes() }
    try attempt { try catalog.stage(try catalog.makeJob(.incremental, base: 1), [("/b", .whole(directoryEntry("b")))]) }
    #expect(!failures.isEmpty)
    #expect(failures.allSatisfy { !$0.description.isEmpty && $0.kind != .unreachable })
    try catalog.close()
  }

  @Test func callsFromManyThreadsWorkSideBySide() async throws {
    var options = PostgreSQLOptions()
    options.connectionLimit = 3
    let catalog = try server.open(schema: server.newSchema(), options: options)
    let numbers = await withTaskGroup(of: [JobNumber].self) { group in
      for worker in 0..<6 {
        group.addTask {
          (0..<10).compactMap { index in
            let tree = Tree(host: "h", name: ByteString("\(worker % 2)"))
            let request = NewJob(
              tree: tree, level: .full, baseSequence: 0, session: session(UInt64(worker * 100 + index)), paths: [],
              created: Timestamp(nanoseconds: 0))
            guard let job = try? catalog.createJob(request) else { return nil }
            try? catalog.stage(
              job, (0..<20).map { (ByteString("/d\($0)/f"), .whole(directoryEntry("f", mode: UInt32(worker)))) })
            return try? catalog.job(number: job.description.number)?.lastCommit == 1 ? job.description.number : nil
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(numbers.sorted() == Array(1...60))
    try catalog.close()
  }

  /// Keys are longer than an index takes, and stay in order.
  @Test func pathsHaveAnyLength() throws {
    let catalog = try server.open(schema: server.newSchema())
    let job = try catalog.makeJob()
    var random = SplitMix(seed: 3)
    let names = (0..<40).map { _ in
      ByteString((0..<200).map { _ in UInt8.random(in: 0x30...0xff, using: &random) })
    }
    let deep = names.reduce(DirectoryKey.root) { $0.appending($1) }
    let places = [deep.appending("b"), deep.appending("a"), deep, deep.appending("a").appending("c")]
    try catalog.stage(job, places.map { ($0.appending("f").path, .whole(directoryEntry("f"))) })
    try catalog.publish(job)
    #expect(try catalog.state(1, limit: 1).map(\.directory) == places.sorted())
    #expect(try catalog.entry(of: tree, sequence: 1, at: position(deep.appending("f").path)) != nil)
    try catalog.close()
  }
}
