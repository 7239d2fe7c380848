import Testing
import VaultModel

/// Arguments that are wrong open no repository, end with 2 and say why on standard error.
@Suite struct UsageTests {
  @Test(arguments: [
    [], ["local"], ["volume"], ["nonsense"], ["--unknown"], ["local", "backup"], ["local", "backup", "/"],
    ["local", "backup", "--to", "r"], ["local", "backup", "/", "--to", "r", "--level", "some"],
    ["local", "backup", "/", "--to", "r", "--volume-size", "12 parsecs"],
    ["local", "backup", "/", "--to", "r", "--volume-size", "1M"],
    ["local", "backup", "/", "--to", "r", "--commit-interval", "0"],
    ["local", "backup", "/", "--to", "r", "--commit-size", "0"],
    ["local", "backup", "/", "--to", "r", "--compression", "zstd:20"],
    ["local", "backup", "/", "--to", "r", "--compression", "gzip"],
    ["local", "backup", "", "--to", "r"], ["local", "backup", "/", "--to", ""], ["local", "jobs"],
    ["local", "jobs", "--from", "r", "x"],
    ["local", "ls", "--from", "r", "--job", "0"], ["local", "ls", "--from", "r", "--job", "99999999999999999999999"],
    ["local", "ls", "--from", "r", "--at", "tomorrow"], ["local", "ls", "--from", "r", "--at", "1000-01-01"],
    ["local", "ls", "--from", "r", "--job", "1", "--at", "1d"], ["local", "ls", "a", "b"],
    ["local", "restore", "--from", "r"], ["local", "restore", "--from", "r", "--to", "t", "--overwrite", "maybe"],
    ["local", "restore", "--from", "r", "--to", "t", "--job", "-1"], ["volume", "scan", "--to", "r"],
    ["volume", "scan", "v"], ["init"], ["init", ""], ["init", "d", "--catalog", "oracle"],
    ["init", "d", "--director", ""],
    ["init", "d", "--client", "a\nb"], ["dir"], ["sd", "-c", "x"], ["fd", "--test-config", "x"],
    ["console", "--test-config", "-c"],
  ])
  func isRefused(arguments: [String]) async {
    let fixture = CommandFixture()
    #expect(await fixture.run(arguments.map { ByteString($0) }) == .usage)
    #expect(fixture.talk.hasPrefix("vault: "))
    #expect(fixture.output.isEmpty && fixture.openings.isEmpty)
  }

  @Test(arguments: [
    ["--help"], ["local", "--help"], ["local", "backup", "-h"], ["--version"], ["help", "local", "ls"],
  ])
  func helpIsNoMistake(arguments: [String]) async {
    let fixture = CommandFixture()
    #expect(await fixture.run(arguments.map { ByteString($0) }) == .done)
    #expect(!fixture.output.isEmpty && fixture.talk.isEmpty)
  }

  @Test func aComplaintCannotCommandATerminal() async {
    let fixture = CommandFixture()
    #expect(await fixture.run([ByteString([0x78, 0x1b, 0x5b, 0x31, 0x6d, 0x0a, 0xff])]) == .usage)
    #expect(fixture.talk.hasPrefix("vault: Unexpected argument 'x\\x1b[1m\\x0a\\xff'\n"))
  }
}
