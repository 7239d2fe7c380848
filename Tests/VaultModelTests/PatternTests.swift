import Testing
import VaultModel

/// Patterns of names and of paths.
@Suite struct PatternTests {
  @Test(
    arguments: [
      ("", [""], ["a"]), ("*", ["", "a", ".hidden", "a b\n"], []), ("?", ["a", "ü", "漢"], ["", "ab"]),
      ("*.c", [".c", "a.c", "a.c.c"], ["a.h", "a.cc", "c"]),
      ("a*b*c", ["abc", "axbxc", "abbcc"], ["ab", "acb", "abcd"]),
      ("[abc]", ["a", "c"], ["d", "ab", ""]), ("[a-c]x", ["ax", "bx"], ["dx", "-x"]),
      ("[!a-c]", ["d", "ü"], ["a", "", "dd"]),
      ("[^a]", ["b"], ["a"]), ("[]]", ["]"], ["a"]), ("[!]]", ["a"], ["]"]), ("[a-]", ["a", "-"], ["b"]),
      ("[-a]", ["a", "-"], ["b"]), ("[z-a]", [], ["a", "z", "m", "-"]), ("[", ["["], ["a"]), ("[a", ["[a"], ["a"]),
      ("x[!", ["x[!"], ["xa"]), ("\\*", ["*"], ["a", "\\*"]), ("a\\", ["a\\"], ["a"]), ("[\\]a]", ["]", "a"], ["\\"]),
      ("[ä-ö]", ["ö", "ä"], ["ü", "o"]), ("**", ["", "abc"], []), ("*?*", ["a", "ü", "ab"], [""]),
      ("?*?", ["ab", "üü", "abc"], ["a", "ü"]),
    ] as [(ByteString, [ByteString], [ByteString])])
  func names(_ pattern: ByteString, _ matching: [ByteString], _ others: [ByteString]) {
    for name in matching { #expect(NamePattern(pattern).matches(name), "\(pattern) \(name)") }
    for name in others { #expect(!NamePattern(pattern).matches(name), "\(pattern) \(name)") }
  }

  /// A byte that is no UTF-8 is a character by itself, and no part of another.
  @Test func bytesThatAreNoText() {
    let (umlaut, lone) = (ByteString("ü"), ByteString([0xbc]))
    #expect(NamePattern("?").matches(lone) && NamePattern("??").matches(ByteString([0xc3, 0x28])))
    #expect(!NamePattern(ByteString([0x2a, 0xbc])).matches(umlaut), "half a character is none")
    #expect(!NamePattern(ByteString([0xc3, 0x2a])).matches(umlaut))
    #expect(NamePattern(ByteString([0x2a, 0xbc])).matches(ByteString([0x61, 0xbc])))
    #expect(NamePattern("[!ü]").matches(lone) && !NamePattern("[!a]?").matches(umlaut))
    for surrogate in [[0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe0, 0x80, 0xaf]] as [[UInt8]] {
      #expect(NamePattern(ByteString(surrogate.map { _ in 0x3f as UInt8 })).matches(ByteString(surrogate)))
      #expect(NamePattern(ByteString(surrogate)).matches(ByteString(surrogate)))
      #expect(NamePattern(ByteString(surrogate)).literal == ByteString(surrogate))
    }
  }

  @Test func onlyLiteralsAreLiteral() {
    #expect(NamePattern("a\\*b").literal == "a*b" && NamePattern("[").literal == "[" && NamePattern("").literal == "")
    for pattern in ["*", "a?", "[a]"] as [ByteString] { #expect(NamePattern(pattern).literal == nil) }
    let odd: ByteString = "a*b?[c]\\d"
    #expect(PathPattern(pattern: PathPattern.escaping(odd)).path == "/a*b?[c]\\d")
    #expect(PathPattern(pattern: "/a/*").path == nil && PathPattern(pattern: "").path == "/")
    #expect(PathPattern(path: "/a*/b").path == "/a*/b")
  }

  /// The definition, word by word: takes exponential time.
  private static func reference(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == 0x2a {
      return reference(pattern.dropFirst(), name) || (!name.isEmpty && reference(pattern, name.dropFirst()))
    }
    guard let character = name.first, first == 0x3f || first == character else { return false }
    return reference(pattern.dropFirst(), name.dropFirst())
  }

  @Test func randomPatternsMatchAsDefined() {
    var generator = SystemRandomNumberGenerator()
    func random(_ alphabet: String, _ count: Int) -> ByteString {
      ByteString(
        (0..<Int.random(in: 0...count, using: &generator)).map { _ in Array(alphabet.utf8).randomElement() ?? 0 })
    }
    for _ in 0..<20_000 {
      let (pattern, name) = (random("ab*?", 8), random("ab", 8))
      #expect(
        NamePattern(pattern).matches(name) == Self.reference(pattern.bytes[...], name.bytes[...]), "\(pattern) \(name)")
    }
  }

  @Test func noPatternTakesExponentialTime() {
    let name = ByteString(String(repeating: "a", count: 255))
    let clock = ContinuousClock()
    let taken = clock.measure {
      for _ in 0..<100 {
        #expect(!NamePattern(ByteString(String(repeating: "a*", count: 127) + "b")).matches(name))
        #expect(!NamePattern(ByteString(String(repeating: "*[!b]", count: 100) + "b")).matches(name))
      }
    }
    #expect(taken < .seconds(20))
    let set = PathPatternSet([PathPattern(pattern: ByteString(String(repeating: "/**/a*a", count: 200)))])
    var places = set.start
    for _ in 0..<300 { places = set.step(places, "aaaa") }
    #expect(!set.matched(places).isEmpty)
  }

  @Test func placesTellWhatCanFollow() {
    let set = PathPatternSet(["/a/b", "/a/*.c", "/x/**/y", "/a"].map { PathPattern(pattern: $0) })
    #expect(set.names(set.start) == ["a", "x"] && set.matched(set.start).isEmpty)
    let a = set.step(set.start, "a")
    #expect(set.matched(a) == [3] && set.names(a) == nil)
    #expect(set.matched(set.step(a, "b")) == [0] && set.matched(set.step(a, "q.c")) == [1])
    #expect(set.step(set.start, "q").isEmpty)
    let x = set.step(set.start, "x")
    #expect(set.matched(set.step(x, "y")) == [2] && set.matched(set.step(set.step(x, "q"), "y")) == [2])
  }
}
