import Testing
import VaultModel

@testable import Director

@Suite struct FindPatternTests {
  private func matches(_ pattern: ByteString, _ path: ByteString) throws -> Bool {
    let place = try #require(DirectoryKey(path: path).parentAndName)
    return place.parent.bytes.bytes.withUnsafeBytes { directory in
      place.name.bytes.withUnsafeBytes { FindPattern(pattern).matches(directory: directory, name: $0) }
    }
  }

  @Test(
    arguments: [
      ("hosts", "/etc/hosts"), ("h*s", "/etc/hosts"), ("*", "/x"), ("h?sts", "/etc/hosts"), ("[a-h]osts", "/etc/hosts"),
      ("[!a-g]osts", "/etc/hosts"), ("*.tar.gz", "/a.tar.tar.gz"), ("\\*", "/etc/*"), ("[]]", "/]"), ("[", "/["),
      ("a[", "/a["), ("/etc/*", "/etc/hosts"), ("/*/hosts", "/etc/hosts"), ("/**", "/a/b/c"), ("/**/c", "/a/b/c"),
      ("etc/h*", "/srv/etc/hosts"), ("/a/**/z*", "/a/b/zz/y/zx"), ("**", "/a"), ("/**x*/y", "/a/bx/cx/y"),
      ("[a-]", "/-"),
    ] as [(ByteString, ByteString)])
  func itTakes(_ pattern: ByteString, _ path: ByteString) throws {
    #expect(try matches(pattern, path))
  }

  @Test(
    arguments: [
      ("hosts", "/etc/hosts2"), ("etc", "/etc/hosts"), ("?", "/ab"), ("[!a-h]osts", "/etc/hosts"),
      ("/etc/*", "/etc/a/b"),
      ("/etc", "/srv/etc"), ("/e?c", "/e/c"), ("/e[!x]c", "/e/c"), ("/a/**/z", "/a/b/zz"), ("etc/*", "/etcx/a"),
      ("\\*", "/x"), ("", "/x"), ("[b-a]", "/c"),
    ] as [(ByteString, ByteString)])
  func itRefuses(_ pattern: ByteString, _ path: ByteString) throws {
    #expect(try !matches(pattern, path))
  }

  @Test func bytesCountWhateverTheyAre() throws {
    #expect(try matches(ByteString([0x2a, 0xff]), ByteString([0x2f, 0x61, 0x0a, 0xff])))
    #expect(try !matches("?", "/ö"))
    #expect(try matches("??", "/ö"))
  }

  @Test func manyStarsTakeNotForEver() throws {
    let pattern = ByteString(String(repeating: "*a", count: 60) + "b")
    #expect(try !matches(pattern, ByteString("/" + String(repeating: "a", count: 250))))
    let deep = ByteString(String(repeating: "/**/*a*", count: 20) + "/b")
    #expect(try !matches(deep, ByteString(String(repeating: "/aaaaaaaa", count: 200))))
  }
}
