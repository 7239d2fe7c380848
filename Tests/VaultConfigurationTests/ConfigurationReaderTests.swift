import Testing
import VaultConfiguration
import VaultModel

@Suite struct ConfigurationReaderTests {
  @Test func readsEveryKindOfValue() throws {
    let blocks = try ConfigurationFixture.read(
      """
      # a client
      Client {
        Name = web1-fd ; address = "10.0.0.1"   # two on a line
        MaximumConcurrentJobs=20
        dir port fd = 9104; HEARTBEAT \t INTERVAL = 1 min
      }

      """ + "client\n{ name = b; Maximum Bandwidth = 1.5 g; passive = Yes; protocol = ndmp }\r\n")
    #expect(blocks.map(\.keyword) == ["Client", "Client"])
    #expect(blocks[0].name("Name") == "web1-fd")
    #expect(blocks[0].text("Address") == "10.0.0.1")
    #expect(blocks[0].number("Maximum Concurrent Jobs") == 20)
    #expect(blocks[0].number("DIRportFD") == 9104)
    #expect(blocks[0].number("Heartbeat Interval") == 60)
    #expect(blocks[0].yesNo("Passive") == nil)
    #expect(blocks[1].number("Maximum Bandwidth") == 3 << 29)
    #expect(blocks[1].yesNo("Passive") == true)
    #expect(blocks[1].name("Protocol") == "NDMP")
    #expect(blocks[0].position == SourcePosition(file: "/etc/vault/dir.conf", line: 2, column: 1))
  }

  @Test func readsNestedBlocksAndLists() throws {
    let blocks = try ConfigurationFixture.read(
      """
      FileSet { Name = "All of it"
        Include { Options { Wild File = "*.o" } File = /etc, "/home dir",
            /srv
          File = /var/lib/x y } }
      """)
    let include = try #require(blocks.first?.blocks.first)
    #expect(include.all("File") == ["/etc", "/home dir", "/srv", "/var/lib/x y"].map { .text($0) })
    #expect(include.blocks.first?.all("Wild File") == [.text("*.o")])
    #expect(blocks.first?.name("Name") == "All of it")
  }

  @Test(arguments: [
    (#"a\"b\\c"#, "a\"b\\c"), (#"\x41\x7f"#, "A\u{7f}"), (#"tab\tline\nend\r"#, "tab\tline\nend\r"),
    (#"*\.o\$"#, "*.o$"), ("# { } = ; ,", "# { } = ; ,"), ("", ""), ("100 $ and $x", "100 $ and $x"),
  ])
  func readsStrings(written: String, meant: String) throws {
    let blocks = try ConfigurationFixture.read("Client { Name = x; Address = \"\(written)\" }")
    #expect(blocks.first?.text("Address") == ByteString(meant))
  }

  @Test func keepsBytesThatAreNotUTF8() throws {
    let reader = ConfigurationReader(schema: ConfigurationFixture.schema)
    let text = Array("Client { Name = x; Address = /tmp/".utf8) + [0xff, 0xfe] + Array(" }".utf8)
    #expect(try reader.read(text, file: "f").first?.text("Address") == ByteString(Array("/tmp/".utf8) + [0xff, 0xfe]))
  }

  @Test func putsVariablesIn() throws {
    let variables: [String: ByteString] = ["HOST": "web1", "ODD": "a } # \" ${HOST}"]
    let blocks = try ConfigurationFixture.read(
      "Client { Name = ${HOST}-fd; Address = \"${ODD}!\" }", variables: variables)
    #expect(blocks.first?.name("Name") == "web1-fd")
    // A value is never read as language.
    #expect(blocks.first?.text("Address") == "a } # \" ${HOST}!")
  }

  @Test(arguments: [
    ("${HOST:-other}", "web1"), ("${NOPE:-other}", "other"), ("${EMPTY:-other}", "other"), ("${EMPTY}", ""),
    ("${NOPE:-}", ""), ("a ${NOPE:-two words; # ${} b", "a two words; # ${ b"),
  ])
  func putsDefaultsIn(written: String, meant: String) throws {
    let blocks = try ConfigurationFixture.read(
      "Client { Name = x; Address = \"\(written)\" }", variables: ["HOST": "web1", "EMPTY": ""])
    #expect(blocks.first?.text("Address") == ByteString(meant))
  }

  @Test func includesFilesAndDirectories() throws {
    let files: [ByteString: String] = [
      "/etc/vault/clients/b.conf": "Client { Name = b }", "/etc/vault/clients/a.conf": "Client { Name = a }",
      "/etc/vault/clients/a.conf~": "nonsense", "/etc/vault/clients/.c.conf": "nonsense",
      "/etc/vault/one file": "Address = here", "/srv/x": "Client { Name = x }",
    ]
    let blocks = try ConfigurationFixture.read(
      "@clients/*.conf\nClient { Name = last; @\"one file\"\n }\n@/srv/x ; @/etc/vault/clients/z*", files: files)
    #expect(blocks.map { $0.name("Name") } == ["a", "b", "last", "x"])
    #expect(blocks[2].text("Address") == "here")
    #expect(blocks[0].position.description == "/etc/vault/clients/a.conf:1:1")
  }

  @Test func readsAnEmptyFile() throws {
    #expect(try ConfigurationFixture.read("\u{feff}# nothing\n").isEmpty)
  }
}
