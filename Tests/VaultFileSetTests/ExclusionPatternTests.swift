import Testing
import VaultModel

@testable import VaultFileSet

/// Patterns as in gitignore(5), against names that no disk holds.
@Suite struct ExclusionPatternTests {
  /// Whether a walk of `/base`, which was selected, leaves the path out; the path ends in a slash for a directory.
  private func leavesOut(_ patterns: [String], _ path: String, selected: [ByteString] = ["/base"]) throws -> Bool {
    var matcher = ExclusionMatcher(
      patterns: try patterns.map { try ExclusionPattern(ByteString($0)) },
      selection: try PathSelection(paths: selected, workingDirectory: "/"))
    let names = path.split(separator: "/").map { ByteString(String($0)) }
    var directory = DirectoryKey(path: "/base")
    for (index, name) in names.enumerated() {
      directory.bytes.bytes.withUnsafeBytes { matcher.enter($0) }
      let isDirectory = index + 1 < names.count || path.hasSuffix("/")
      if name.bytes.withUnsafeBytes({ matcher.leavesOut($0, isDirectory: isDirectory) }) { return true }
      directory = directory.appending(name)
    }
    return false
  }

  @Test(
    arguments: [
      // A name at any depth.
      ("name", "name", true), ("name", "a/b/name", true), ("name", "name2", false), ("name", "name/below", true),
      ("*.o", "a/x.o", true), ("*.o", ".o", true), ("*.o", "x.oo", false), ("x*", "xyz", true), ("*", "anything", true),
      ("a?c", "abc", true), ("a?c", "ac", false), ("**", "a/b", true), ("a**c", "abbc", true),
      // Anchored.
      ("/name", "name", true), ("/name", "a/name", false), ("a/b", "a/b", true), ("a/b", "x/a/b", false),
      ("/a/*/c", "a/b/c", true), ("/a/*/c", "a/b/x/c", false), ("a/*", "a/b", true), ("a/*", "a/", false),
      // Any number of names.
      ("**/b", "b", true), ("**/b", "a/x/b", true), ("a/**", "a/b", true), ("a/**", "a/", false),
      ("a/**/b", "a/b", true), ("a/**/b", "a/x/y/b", true), ("a/**/b", "x/a/b", false), ("/**", "x", true),
      ("**/a/**/b", "q/a/w/b", true), ("a/**/**/b", "a/b", true), ("**/**", "x", true), ("***/b", "a/b", true),
      // Directories only.
      ("name/", "name/", true), ("name/", "name", false), ("name/", "a/name/", true), ("a/b/", "a/b", false),
      ("*/", "x", false), ("*/", "x/", true),
      // Escapes and sets.
      (#"\*"#, "*", true), (#"\*"#, "x", false), (#"\!a"#, "!a", true), ("\\#a", "#a", true), ("#a", "#a", true),
      (#"a\ b"#, "a b", true), (#"a\/b"#, "a/b", true), ("[a-c]x", "bx", true), ("[a-c]x", "dx", false),
      ("[!a-c]x", "dx", true), ("[^a-c]x", "ax", false), ("[]]", "]", true), ("[!]]", "]", false), ("[]-a]", "^", true),
      ("[a-]", "-", true), ("[--0]", ".", true), (#"[\]]"#, "]", true), (#"[\\]"#, "\\", true), ("[[]", "[", true),
      ("[[:digit:]x]", "7", true), ("[[:digit:]x]", "x", true), ("[![:alpha:]]", "é", false), ("[[:a]", ":", true),
      ("[[:upper:]]", "a", false), ("é*", "école", true), ("Name", "name", false),
    ] as [(String, String, Bool)])
  func onePattern(_ pattern: String, _ path: String, _ expected: Bool) throws {
    #expect(try leavesOut([pattern], path) == expected)
  }

  @Test func aNegatedSetMatchesBytes() throws {
    // `é` is two bytes: one of any kind is not enough.
    #expect(try !leavesOut(["?"], "é") && leavesOut(["??"], "é"))
  }

  @Test func theLastMatchDecides() throws {
    #expect(try leavesOut(["*.o", "!keep.o"], "x.o"))
    #expect(try !leavesOut(["*.o", "!keep.o"], "keep.o"))
    #expect(try leavesOut(["!keep.o", "*.o"], "keep.o"))
    #expect(try leavesOut(["*", "!/a", "a"], "a"))
    #expect(try !leavesOut(["a", "!/a", "b"], "a"))
    #expect(try !leavesOut(["name", "!name/"], "name/") && leavesOut(["name", "!name/"], "name"))
    #expect(try leavesOut(["!name/", "name"], "name/"))
    // Nothing comes back below a directory that was left out.
    #expect(try leavesOut(["a", "!b"], "a/b"))
    #expect(try !leavesOut(["/*", "!/a", "/a/*", "!/a/b"], "a/b") && leavesOut(["/*", "!/a", "/a/*", "!/a/b"], "a/c"))
  }

  @Test func anchorsAtEverySelectedPath() throws {
    let selected: [ByteString] = ["/base", "/base/a"]
    #expect(try leavesOut(["/x"], "x", selected: selected) && leavesOut(["/x"], "a/x", selected: selected))
    #expect(try leavesOut(["/a/x"], "a/x", selected: selected) && !leavesOut(["/x"], "b/x", selected: selected))
    #expect(try leavesOut(["/base/x"], "x", selected: ["/"]))
  }

  @Test func followsAWalkUpAndDown() throws {
    var matcher = ExclusionMatcher(
      patterns: [try ExclusionPattern("/a/b/x"), try ExclusionPattern("c/**/y"), try ExclusionPattern("/q/z")],
      selection: try PathSelection(paths: ["/"], workingDirectory: "/"))
    var found: [String] = []
    for directory in ["/", "/a", "/a/b", "/a/b/x", "/a/bb", "/c", "/c/d", "/c/d/e", "/q", "/q/a/b"] {
      DirectoryKey(path: ByteString(directory)).bytes.bytes.withUnsafeBytes { matcher.enter($0) }
      for name in ["x", "y", "z"] {
        let isOut = Array(name.utf8).withUnsafeBytes { matcher.leavesOut($0, isDirectory: false) }
        if isOut { found.append("\(directory) \(name)") }
      }
    }
    #expect(found == ["/a/b x", "/c y", "/c/d y", "/c/d/e y", "/q z"])
  }

  @Test(
    arguments: [
      ("", .namesNothing), ("/", .namesNothing), ("!", .namesNothing), ("!/", .namesNothing), ("//", .namesNothing),
      ("a//b", .emptyName), ("a//", .emptyName), ("//a", .emptyName), ("./a", .dotName), ("a/..", .dotName),
      (".", .dotName), ("[", .openBracket), ("a[b", .openBracket), ("[]", .openBracket), ("[a-", .openBracket),
      ("[\\", .openBracket), ("[[:alpha:]", .openBracket), ("[[:word:]]", .unknownClass("word")),
      ("[z-a]", .emptyRange), (#"a\"#, .trailingBackslash), (#"a\/"#, .trailingBackslash), ("a\0b", .holdsNUL),
      (String(repeating: "x", count: 4097), .tooLong),
    ] as [(String, ExclusionPatternError.Kind)])
  func whatCannotBeMeantIsRefused(_ pattern: String, _ kind: ExclusionPatternError.Kind) throws {
    let error = #expect(throws: ExclusionPatternError.self) { try ExclusionPattern(ByteString(pattern)) }
    #expect(error?.kind == kind && error?.exitStatus == .usage)
  }

  /// Neither stars in a name nor stars for names cost more than their product with what they are tried on.
  @Test(.timeLimit(.minutes(1))) func nothingBacktracksForLong() throws {
    let stars = String(repeating: "a*", count: 2000) + "b"
    let deep = String(repeating: "**/a*/", count: 600) + "b"
    let name = String(repeating: "a", count: 255)
    let path = Array(repeating: "aa", count: 300).joined(separator: "/")
    for _ in 0..<20 { #expect(try !leavesOut([stars], name)) }
    #expect(try !leavesOut([deep], path))
    #expect(try !leavesOut(["**/" + String(repeating: "*a", count: 120) + "/**/c"], path + "/" + name))
  }

  @Test func manyPlainNamesAreOneLook() throws {
    let patterns = (0..<20_000).map { "name\($0)" }
    #expect(try leavesOut(patterns, "a/name19999") && !leavesOut(patterns, "name20000"))
    #expect(try !leavesOut(patterns + ["!name5"], "name5"))
  }

  @Test func aFileHasALineForEach() {
    let text = "\u{feff}# comment\n\n a \n\\#x\r\n  \nb\\ \nc\\\\ \n!d\n#\ne\r"
    let lines = ExclusionFile.lines(of: Array(text.utf8))
    #expect(lines.map(\.pattern) == [" a", "\\#x", "b\\ ", "c\\\\", "!d", "e\r"])
    #expect(lines.map(\.number) == [3, 4, 6, 7, 8, 10])
    #expect(ExclusionFile.lines(of: []).isEmpty)
    #expect(ExclusionFile.lines(of: [0xff, 0x0a]).map(\.pattern) == [ByteString([0xff])])
  }
}
