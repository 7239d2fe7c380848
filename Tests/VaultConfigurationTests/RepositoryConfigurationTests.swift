import Testing
import VaultConfiguration
import VaultModel

@Suite struct RepositoryConfigurationTests {
  private static let sample = RepositoryConfiguration(
    identifier: UniqueIdentifier(high: 0x0123_4567_89ab_4def, low: 0x8123_4567_89ab_cdef),
    created: Timestamp(nanoseconds: 1_769_860_800_123_456_789))

  @Test func rendersTheFileOfANewRepository() {
    #expect(
      String(decoding: Self.sample.render(), as: UTF8.self) == """
        # A vault repository: catalog.sqlite beside this file is its catalog, volumes/ holds what was saved.
        Repository {
          Format = 0
          UUID = 01234567-89ab-4def-8123-456789abcdef
          Created = 2026-01-31T12:00:00.123456789Z
          Volume Size = 4095 MiB
          Media Type = File
          Pool = Default
        }

        """)
  }

  @Test(arguments: ["Default", "a pool", "Quo\"te\\ and ${X} # {", "ä"])
  func comesBackAsItWas(pool: String) throws {
    var configuration = Self.sample
    configuration.pool = pool
    configuration.volumeSize = (2 << 20) + 1
    #expect(try RepositoryConfiguration(reading: configuration.render(), file: "repository.conf") == configuration)
  }

  @Test func whatIsNotGivenHasDefaults() throws {
    let text = "repository{format=0;uuid=01234567-89AB-4def-8123-456789abcdef\ncreated=2026-01-31T12:00:00.123456789Z}"
    #expect(try RepositoryConfiguration(reading: Array(text.utf8), file: "repository.conf") == Self.sample)
  }

  /// A newer format is told first, also where its language looks like mistakes.
  @Test(arguments: [
    "Repository { Format = 1 }", "Repository {\n Format = 1\n Shape = [ round }\n",
    "Repository { Encryption { } Format = \"1\" } }",
  ])
  func aNewerFormatIsToldAsThat(text: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try RepositoryConfiguration(reading: Array(text.utf8), file: "/mnt/r/repository.conf")
    }
    #expect(error?.kind == .newerFormat(file: "/mnt/r/repository.conf", found: 1, known: 0))
    #expect(error?.exitStatus == .usage)
    #expect(
      error?.description
        == "/mnt/r/repository.conf: this repository was made by a newer vault: its format is 1 and this "
        + "program knows formats up to 0. Nothing was changed; use a newer vault.")
  }

  @Test(arguments: [
    ("", "r:1:1: the configuration has no Repository { … }"),
    (
      "Repository { Format = 0; Created = 2026-01-31T12:00:00Z }", "r:1:1: this Repository has no UUID: expected a UUID"
    ),
    (
      "Repository { Format = x; UUID = 01234567-89ab-4def-8123-456789abcdef; Created = 2026-01-31T12:00:00Z }",
      "r:1:23: Format: expected a whole number from 0 to 0, found \"x\""
    ),
    (
      "@/etc/shadow\nRepository { Format = 0; UUID = 01234567-89ab-4def-8123-456789abcdef; Created = 2026-01-31T12:00:00Z }",
      "r:1:1: /etc/shadow cannot be included: includes are not allowed in this file"
    ),
    (
      "Repository { Format = 0; UUID = 01234567-89ab-4def-8123-456789abcdef; Created = 2026-01-31T12:00:00Z; Volume Size = 1M }",
      "r:1:117: Volume Size: expected a size from 2 MiB to 16 TiB, such as 10G or 4095 MiB, found \"1M\""
    ),
  ])
  func tellsWhatIsWrong(text: String, expected: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try RepositoryConfiguration(reading: Array(text.utf8), file: "r")
    }
    #expect(error?.description == expected)
  }
}
