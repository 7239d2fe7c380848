import Testing
import VaultConfiguration
import VaultModel

@Suite struct DaemonConfigurationTests {
  @Test func readsADirector() throws {
    let found = try DaemonFixture.read(DirectorConfiguration.self, DaemonFixture.director)
    #expect(found.daemon.name == "d")
    #expect(found.daemon.port == 9101)
    #expect(found.daemon.listen == [ListenAddress(reading: "*")])
    #expect(found.password == .typed(Array("secret".utf8)))
    #expect(found.reconnectWindowSeconds == 600)
    #expect(found.clientConnectSeconds == 180)
    #expect(found.daemon.heartbeatSeconds == 0)
    #expect(found.catalog.driver == .sqlite(file: "catalog.sqlite"))
    #expect(found.clients.first?.address?.text == "web1")
    #expect(found.clients.first?.mayBeDialled == true)
    #expect(found.clients.first?.peer.heartbeatSeconds == nil)
    #expect(found.storages.first?.device == "D1")
    #expect(found.storages.first?.address.form == .ipv6)
    #expect(found.pools.first?.labelFormat == "p-")
    #expect(found.pools.first?.maximumVolumeBytes == 4_095 << 20)
    let files = try #require(found.fileSets.first)
    #expect(files.files == ["/etc"])
    #expect(files.staysOnFileSystem && files.honorsNoDump && !files.excludesCaches)
    #expect(files.excludesLargerThan == nil && files.excludedPatterns.isEmpty)
    #expect(files.compression == .lz4)
  }

  @Test(arguments: [("none", Compression.none), ("ZStd", .zstd(level: 3)), ("\"zstd:19\"", .zstd(level: 19))])
  func howDataIsCompressed(_ text: String, _ compression: Compression) throws {
    let text =
      DaemonFixture.director + "FileSet { Name = g; Include { File = /; Options { Compression = \(text) } } }"
    let fileSets = try DaemonFixture.read(DirectorConfiguration.self, text).fileSets
    #expect(fileSets.map(\.compression) == [.lz4, compression])
  }

  @Test func aJobTakesFromItsPatternWhatItDoesNotSay() throws {
    let text =
      DaemonFixture.director + "Job { Name = own; JobDefs = defs; Client = web1-fd; Priority = 7; Level = full }"
    let jobs = try DaemonFixture.read(DirectorConfiguration.self, text).jobs
    #expect(jobs.map(\.name) == ["j", "own"])
    #expect(jobs.map(\.priority) == [3, 7])
    #expect(jobs.map(\.level) == [nil, .full])
    #expect(jobs.allSatisfy { $0.fileSet == "f" && $0.kind == .backup && $0.replacement == .never })
    // The pool says where to.
    #expect(jobs.allSatisfy { $0.storages == ["s"] })
    #expect(jobs.allSatisfy { $0.commitSeconds == 30 && $0.commitBytes == 1 << 30 })
  }

  @Test func readsTheExamples() throws {
    let director = try DirectorConfiguration(file: RepositoryRoot.path("etc/examples/dir.conf"))
    #expect(director.clients.map(\.peer.name) == ["laptop1-fd", "web1-fd"])
    #expect(director.clients.map(\.mayBeDialled) == [true, true])
    #expect(director.clients.map(\.lanAddress?.text) == ["10.0.0.21", "10.0.0.11"])
    #expect(director.daemon.listen.map(\.port) == [nil, 9101])
    #expect(director.catalog.driver == .sqlite(file: "catalog.sqlite"))
    #expect(director.password == .typed(Array("replace this console password".utf8)))
    #expect(director.jobs.last?.kind == .restore)
    #expect(director.jobs.last?.replacement == .ifNewer)
    #expect(
      director.messages.first?.routes.map(\.destination) == [.file("/var/log/vault/dir.log"), .catalog, .console])
    #expect(director.messages.first?.routes.last?.classes.contains(.skipped) == false)
    let storage = try StorageDaemonConfiguration(file: RepositoryRoot.path("etc/examples/sd.conf"))
    #expect(storage.devices.map(\.archiveDevice) == ["/srv/disk1/vault"])
    let file = try FileDaemonConfiguration(file: RepositoryRoot.path("etc/examples/fd.conf"))
    #expect(file.allowedDirectories == ["/home", "/var/tmp"])
    #expect(file.directors.first?.isDialled == false && file.directors.first?.mayDial == true)
    let console = try ConsoleConfiguration(file: RepositoryRoot.path("etc/examples/console.conf"))
    #expect(console.console?.name == "alice")
    #expect(console.directors.first?.port == 9101)
    #expect(director.consoles.first?.password == console.console?.password)
    // What the director sends to storage and file daemon is what these expect.
    #expect(director.storages.first?.peer.password == storage.directors.first?.password)
    #expect(director.clients.first?.peer.password == file.directors.first?.peer.password)
  }

  @Test func readsADatabaseServer() throws {
    let text = DaemonFixture.director.split(separator: "\n").map { line in
      line.hasPrefix("Catalog")
        ? "Catalog { Name = c; DB Driver = PostgreSQL; DB Address = db.example.com; DB Password = \"a word\" }" : line
    }.joined(separator: "\n")
    guard case .postgresql(let server) = try DaemonFixture.read(DirectorConfiguration.self, text).catalog.driver else {
      Issue.record("the catalog is no server")
      return
    }
    #expect(server.address?.text == "db.example.com")
    #expect(server.password == .typed(Array("a word".utf8)))
    #expect(server.port == 5432)
  }

  @Test func readsAClientThatDials() throws {
    let text = """
      Client { Name = laptop1-fd }
      Director {
        Name = d; Connection From Director To Client = no; Connection From Client To Director = yes
        Address = backup.example.com; Heartbeat Interval = 5 minutes
        TLS Certificate = /c.pem; TLS Key = /c.key; TLS CA Certificate File = /ca.pem; TLS Allowed CN = backup.example.com
      }
      """
    let director = try #require(try DaemonFixture.read(FileDaemonConfiguration.self, text).directors.first)
    #expect(director.isDialled && !director.mayDial)
    #expect(director.peer.heartbeatSeconds == 300)
    #expect(director.peer.tls.allowedCommonNames == ["backup.example.com"])
  }

  @Test(arguments: [
    (ConfigurationRole.director, DaemonFixture.director), (.storageDaemon, DaemonFixture.storage),
    (.fileDaemon, DaemonFixture.file), (.console, DaemonFixture.console),
  ])
  func theFixturesAreRight(role: ConfigurationRole, text: String) {
    #expect(DaemonFixture.mistakes(role, text) == [])
  }

  /// What is added to a right director's configuration (its line 9 begins there), and the one complaint.
  @Test(arguments: [
    (
      "Job { Name = k; Type = Backup; Client = web2-fd; FileSet = f; Pool = p }",
      "9:41: Client: there is no Client called \"web2-fd\": expected web1-fd; did you mean \"web1-fd\"?"
    ),
    (
      "Job { Name = k; JobDefs = defs }",
      "9:1: this Job has no Client: expected the name of a Client, here or in its JobDefs"
    ),
    ("Job { Name = k; Client = web1-fd }", "9:1: this Job has no Type: expected Backup or Restore"),
    (
      "Pool { Name = q }\nJob { Name = k; JobDefs = defs; Client = web1-fd; Pool = q }",
      "10:1: this Job has no Storage: expected the name of a Storage, here, in its JobDefs or in its Pool"
    ),
    (
      "Client { Name = web1-fd; Address = x; Password = y }",
      "9:10: Client \"web1-fd\" is there twice: the other one stands in /x.conf:3:10"
    ),
    (
      "Client { Name = x; Password = y }",
      "9:1: this Client has no Address: expected a host name or an IP address, or Connection From Director To Client = no"
    ),
    (
      "Client { Name = x; Password = y; Connection From Director To Client = no }",
      "9:34: nobody may dial: expected yes here or in Connection From Client To Director"
    ),
    (
      "Client { Name = x; Address = y }",
      "9:1: this Client has no Password and no TLS Certificate: expected \"key:\" and the base64 of 32 bytes in quotes, "
        + "or a typed password of 1 to 1024 bytes"
    ),
    (
      "Client { Name = x; Address = y; Password = \"key:c2VjcmV0\" }",
      "9:44: Password: expected \"key:\" and the base64 of 32 bytes in quotes, or a typed password of 1 to 1024 bytes, "
        + "found something else"
    ),
    (
      "Client { Name = x; Address = y; Password = z; Password hidden secret }",
      "9:70: expected = or { after \"Password …\", found \"}\""
    ),
    (
      "Client { Name = x; Address = y:1; Password = z }",
      "9:30: Address: expected a host name or an IP address, without a port, found \"y:1\""
    ),
    (
      "Client { Name = x; Address = y; Password = z; TLS Enable = no }",
      "9:47: TLS Enable: there is no connection without TLS: expected yes; TLS Authenticate Only = yes leaves it afterwards"
    ),
    (
      "Client { Name = x; Address = y; TLS Certificate = /c; TLS CA Certificate File = /a }",
      "9:33: TLS Certificate needs TLS Key beside it: the file with the certificate's private key"
    ),
    (
      "Client { Name = x; Address = y; TLS Certificate = /c; TLS Key = /k }",
      "9:33: TLS Certificate needs TLS CA Certificate File beside it, or TLS Verify Peer = no"
    ),
    (
      "Client { Name = x; Address = y; Password = z; TLS Allowed CN = a }",
      "9:47: TLS Allowed CN needs TLS Certificate beside it: both sides show one"
    ),
    (
      "Messages { Name = m; Catalog = all, !skiped }",
      "9:37: Catalog: \"!skiped\" is no class of messages: expected all, info, warning, error, fatal, terminate, notsaved, "
        + "skipped, mount, restored, security, alert or volmgmt; did you mean \"skipped\"?"
    ),
    (
      "Messages { Name = m; Append = log = all }",
      "9:31: Append: expected an absolute path = classes of messages, such as \"/var/log/x\" = all, !skipped"
    ),
    (
      "FileSet { Name = g; Include { File = etc } }",
      "9:38: File: expected an absolute path, found \"etc\""
    ),
    ("FileSet { Name = g }", "9:1: this FileSet has no Include { … }"),
    ("FileSet { Name = g; Include { } }", "9:21: this Include has no File: expected an absolute path"),
    (
      "Schedule { Name = Weekly }",
      "9:1: \"Schedule\" is not a resource: vault.conf(5) lists what there is"
    ),
    ("Catalog { Name = x; DB Driver = sqlite }", "9:1: Catalog is given twice: it stands in /x.conf:2:1 already"),
    (
      "Client { Name = x; Address = y; Password = z; Maximum Concurent Jobs = 2 }",
      "9:47: \"Maximum Concurent Jobs\" is not a directive of Client; did you mean \"Maximum Concurrent Jobs\"?"
    ),
    (
      "Storage { Name = t; Address = y; Password = z }",
      "9:1: this Storage has no Device: expected a name of at most 127 bytes"
    ),
    (
      "Storage { Name = t; Address = y; Password = z; Device = D1, D2 }",
      "9:61: Device takes one value: a director uses one device of a storage daemon"
    ),
    (
      "Storage { Name = t; Address = y; Password = z; Device = D1; Device = D2 }",
      "9:61: Device is given twice: it stands in /x.conf:9:48 already; a director uses one device of a storage daemon"
    ),
    (
      "Job { Name = k; Type = Restore; JobDefs = defs; Pool = p }",
      "9:49: Pool is for jobs of the Type Backup: a restore goes by what was saved"
    ),
    (
      "Job { Name = k; Type = Restore; Level = Full }",
      "9:33: Level is for jobs of the Type Backup: a restore goes by what was saved"
    ),
    (
      "Job { Name = k; JobDefs = defs; Client = web1-fd; Where = /x }",
      "9:51: Where is for jobs of the Type Restore: a backup writes to no file"
    ),
    (
      "Client { Name = x; Address = y; Password = z; Catalog = other }",
      "9:57: Catalog: there is no Catalog called \"other\": expected c"
    ),
    (
      "Pool { Name = q; Label Format = \"q 1\" }",
      "9:18: Label Format: names of volumes cannot begin with \"q 1\": expected at most 100 letters, digits, dots, underscores "
        + "and hyphens of ASCII, no dot first and no digit last"
    ),
    (
      "Pool { Name = \"two words\" }",
      "9:1: this Pool needs a Label Format, since names of volumes cannot begin with \"two words-\": expected at most 100 "
        + "letters, digits, dots, underscores and hyphens of ASCII, no dot first and no digit last"
    ),
    (
      "Client { Name = x; Address = 192.0.2.1; Password = z; TLS Authenticate Only = yes }",
      "9:55: TLS Authenticate Only: 192.0.2.1 is not of a private network, where anybody on the way can read and alter what is "
        + "said: expected no, or forced"
    ),
    (
      "Pool { Name = q; Maximum Volume Bytes = 1 }",
      "9:41: Maximum Volume Bytes: expected a size from 2 MiB to 16 TiB, such as 10G or 4095 MiB, found \"1\""
    ),
    (
      "FileSet { Name = g; Include { File = /; Options { Compression = zstd:20 } } }",
      "9:65: Compression: expected lz4, none, zstd, or zstd with a level from 1 to 19 such as zstd:9, found \"zstd:20\""
    ),
  ])
  func tellsOneMistake(added: String, expected: String) {
    #expect(DaemonFixture.mistakes(.director, DaemonFixture.director + added) == [expected])
  }

  @Test(arguments: [
    ("yes", "10.0.0.1", true), ("yes", "web1", true), ("yes", "\"fd00::1\"", true), ("yes", "\"2001:db8::1\"", false),
    ("forced", "192.0.2.1", true), ("no", "192.0.2.1", true),
  ])
  func leavesTLSInPrivateNetworks(value: String, address: String, isRight: Bool) throws {
    let client = "Client { Name = x; Address = \(address); Password = z; TLS Authenticate Only = \(value) }"
    #expect(DaemonFixture.mistakes(.director, DaemonFixture.director + client).isEmpty == isRight)
    let listener = "Storage { Name = s; Address = \(address); TLS Authenticate Only = \(value) }"
    let text = DaemonFixture.storage.replacing("Storage { Name = s }", with: listener)
    #expect(DaemonFixture.mistakes(.storageDaemon, text).isEmpty == isRight)
  }

  @Test func listensEverywhereWithoutTLSWhoeverComes() {
    for everywhere in ["*", "0.0.0.0", "\"::\""] {
      let listener = "Storage { Name = s; Address = \(everywhere); TLS Authenticate Only = yes }"
      let text = DaemonFixture.storage.replacing("Storage { Name = s }", with: listener)
      #expect(DaemonFixture.mistakes(.storageDaemon, text) == [], "the address of each peer decides")
    }
  }

  @Test func aServersDirectivesAreNotForAFile() {
    let text = DaemonFixture.director.replacing(
      "DB Driver = sqlite", with: "DB Driver = sqlite; DB Port = 1; DB Password = geheim=")
    #expect(
      DaemonFixture.mistakes(.director, text) == [
        "2:41: DB Port is for PostgreSQL: SQLite has no server",
        "2:54: DB Password is for PostgreSQL: SQLite has no server",
        "2:68: DB Password: a value with = must stand in quotes; is a semicolon or a line end missing before it?",
      ])
  }

  /// What is added to the other roles' right configurations, and the one complaint.
  @Test(arguments: [
    (
      ConfigurationRole.storageDaemon, DaemonFixture.storage, "Device { Name = D2; Archive Device = /srv/d1 }",
      "4:21: Archive Device: /srv/d1 is a device's already, in /x.conf:3:21: expected another directory"
    ),
    (
      .storageDaemon, DaemonFixture.storage, "Director { Name = e }",
      "4:1: this Director has no Password and no TLS Certificate: expected \"key:\" and the base64 of 32 bytes in quotes, "
        + "or a typed password of 1 to 1024 bytes"
    ),
    (
      .fileDaemon, DaemonFixture.file, "Director { Name = e; Password = x; Connection From Client To Director = yes }",
      "3:1: this Director has no Address, and Connection From Client To Director = yes needs one"
    ),
    (.fileDaemon, "FileDaemon { Name = x }\n", "", "1:1: the configuration has no Director { … }"),
    (
      .console, DaemonFixture.console, "Director { Name = e; Password = x }",
      "2:1: this Director has no Address: expected a host name or an IP address, without a port"
    ),
  ])
  func tellsOneMistakeOfOthers(role: ConfigurationRole, text: String, added: String, expected: String) {
    #expect(DaemonFixture.mistakes(role, text + added) == [expected])
  }

  @Test func aNamedConsoleNeedsNoPasswordOfTheDirector() {
    let text = "Director { Name = d; Address = 10.0.0.1 }\nConsole { Name = alice; Password = x }"
    #expect(DaemonFixture.mistakes(.console, text) == [])
    #expect(DaemonFixture.mistakes(.console, "Director { Name = d; Address = 10.0.0.1 }").count == 1)
  }

  @Test func noComplaintRepeatsAPassword() {
    for wrong in ["\"key:s3cr3t\"", "\"s3cr3t\" s3cr3t", "s3cr3t=", "\"s3cr3t\" = 1"] {
      for keyword in ["Password =", "Password", "password ="] {
        let text = "Director { Name = d; Address = 10.0.0.1; \(keyword) \(wrong) }"
        let mistakes = DaemonFixture.mistakes(.console, text)
        #expect(!mistakes.isEmpty)
        #expect(!mistakes.contains { $0.contains("s3cr3t") }, "\(text)")
      }
    }
  }

  @Test func tellsWhyAFileCannotBeRead() {
    for (path, reason) in [
      ("/nowhere/x", "No such file"), ("/dev/zero", "it is not a regular file"), ("/", "it is not"),
    ] {
      do throws(ConfigurationError) {
        _ = try ConsoleConfiguration(file: ByteString(path))
        Issue.record("\(path) was read")
      } catch {
        #expect(error.exitStatus == .usage)
        #expect(error.description.contains(path) && error.description.contains(reason))
      }
    }
  }

  /// Whatever becomes of a right configuration, reading ends and does not trap; and right ones become values.
  @Test(arguments: 0..<8) func survivesMutations(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let originals = try ["dir", "sd", "fd", "console"].map { try RepositoryRoot.read("etc/examples/\($0).conf") }
    for _ in 0..<300 {
      let number = random.next(below: originals.count)
      var bytes = originals[number]
      for _ in 0...random.next(below: 4) { mutate(&bytes, from: originals, using: &random) }
      let changed = bytes
      let environment = ConfigurationEnvironment(
        read: { path, _ in path == "/x" ? changed : Array("Client { Name = web1-fd }".utf8) },
        list: { _ in ["web1.conf"] }, variable: { $0.isEmpty ? nil : "v" })
      do throws(ConfigurationError) {
        switch number {
        case 0: _ = try DirectorConfiguration(file: "/x", environment: environment)
        case 1: _ = try StorageDaemonConfiguration(file: "/x", environment: environment)
        case 2: _ = try FileDaemonConfiguration(file: "/x", environment: environment)
        default: _ = try ConsoleConfiguration(file: "/x", environment: environment)
        }
      } catch {
        #expect(!error.description.isEmpty)
      }
    }
  }

  private func mutate(_ bytes: inout [UInt8], from originals: [[UInt8]], using random: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let start = random.next(below: bytes.count)
    let end = min(bytes.count, start + random.next(below: 40))
    switch random.next(below: 5) {
    case 0: bytes.removeSubrange(start..<end)
    case 1: bytes[start] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes.insert(contentsOf: bytes[start..<end], at: random.next(below: bytes.count))
    case 3:
      let other = originals[random.next(below: originals.count)]
      let from = random.next(below: other.count)
      bytes.replaceSubrange(start..<end, with: other[from..<min(other.count, from + 60)])
    default: bytes.insert(Array("{}=\"\\,;@#$\n".utf8)[random.next(below: 11)], at: start)
    }
  }
}
