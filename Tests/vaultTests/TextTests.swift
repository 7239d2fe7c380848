import Console
import Synchronization
import Testing
import VaultModel
import VaultScheduler
import VaultSystem
import vault

@Suite struct ArgumentBytesTests {
  @Test(
    arguments: [
      [], Array("plain --to=r é 😀".utf8), [0xff], [0xc3], [0xc3, 0x28, 0xa9], [0xe2, 0x82], [0xf0, 0x9f, 0x98],
      [0x0a, 0x1b, 0x7f],
      // What the carriers themselves look like.
      Array("\u{f0041}\u{f00ff}\u{effff}\u{f0100}".utf8), [0xed, 0xa0, 0x80], [0xc0, 0xaf],
      [0x61, 0xf4, 0x90, 0x80, 0x80, 0x62],
    ] as [[UInt8]])
  func comesBackAsItWas(bytes: [UInt8]) {
    #expect(ArgumentBytes.bytes(ArgumentBytes.text(ByteString(bytes))) == ByteString(bytes))
  }

  @Test func plainTextStaysAsItIs() {
    #expect(ArgumentBytes.text("--to=/é 😀") == "--to=/é 😀")
  }

  @Test func anyBytesComeBack() {
    var state: UInt32 = 1
    let wrong = (0..<400).filter { length in
      let bytes = (0..<length).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(truncatingIfNeeded: state >> 24) | (state & 1 == 0 ? 0x80 : 0)
      }
      return ArgumentBytes.bytes(ArgumentBytes.text(ByteString(bytes))) != ByteString(bytes)
    }
    #expect(wrong == [])
  }

  @Test func isShownEscaped() {
    #expect(ArgumentBytes.shown(ArgumentBytes.text(ByteString([0x61, 0xff, 0x0a]))) == "a\\xff\\x0a")
  }
}

@Suite struct LexicalPathTests {
  @Test(arguments: [
    ("/", "/"), ("//", "/"), ("/..", "/"), ("/a/./b//c/", "/a/b/c"), ("/a/../../b", "/b"), ("/a/...", "/a/..."),
    ("/.a/..b", "/.a/..b"),
  ])
  func normalizes(path: String, expected: String) {
    #expect(LexicalPath.normalized(ByteString(path)) == ByteString(expected))
  }

  @Test func asksForTheWorkingDirectoryOnlyWhenItMust() throws {
    let absolute = LexicalPath.absolute("/a/..") {
      Issue.record("was asked")
      return "/"
    }
    #expect(absolute == "/a/..")
    #expect(LexicalPath.absolute("x") { "/home/me" } == "/home/me/x")
  }
}

@Suite struct FiguresTests {
  @Test(
    arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (79_013, "79,013"), (.max, "18,446,744,073,709,551,615")]
      as [(UInt64, String)])
  func count(value: UInt64, text: String) { #expect(Figures.count(value) == text) }

  @Test(
    arguments: [
      (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_049, "1.0 kB"), (1_050, "1.1 kB"), (999_949, "999.9 kB"),
      (999_950, "1.0 MB"),
      (1_250_000, "1.3 MB"), (1_100_000_000, "1.1 GB"), (.max, "18.4 EB"),
    ] as [(UInt64, String)])
  func bytes(value: UInt64, text: String) { #expect(Figures.bytes(value) == text) }

  @Test(
    arguments: [
      (0, "0.0 s"), (449, "0.4 s"), (450, "0.5 s"), (59_940, "59.9 s"), (59_960, "1 min 00 s"), (65_000, "1 min 05 s"),
      (3_599_999, "1 h 00 min"),
      (7_380_000, "2 h 03 min"),
    ] as [(UInt64, String)])
  func duration(milliseconds: UInt64, text: String) { #expect(Figures.duration(milliseconds: milliseconds) == text) }

  @Test(
    arguments: [
      (-1, "0 s"), (0.2, "1 s"), (10, "10 s"), (11, "15 s"), (55, "55 s"), (56, "1 min"), (61, "2 min"),
      (3_540, "59 min"), (3_541, "1 h"), (3_601, "1 h 10 min"), (86_400, "24 h"),
    ] as [(Double, String)])
  func remaining(seconds: Double, text: String) { #expect(Figures.remaining(seconds: seconds) == text) }

  @Test func ratesAndRatios() {
    #expect(Figures.rate(4_100_000, milliseconds: 700) == "5.9 MB/s" && Figures.rate(1, milliseconds: 0) == nil)
    #expect(Figures.rate(.max, milliseconds: 1) == "1.0 EB/s")
    #expect(Figures.ratio(3_400, 1_000) == "3.4 : 1" && Figures.ratio(.max, 1)?.hasSuffix(" : 1") == true)
    #expect(Figures.ratio(5, 5) == nil && Figures.ratio(1, 2) == nil && Figures.ratio(1, 0) == nil)
  }
}

@Suite struct JSONWriterTests {
  @Test func writesNestedValuesWithTheirCommas() {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("a", UInt64.max)
      writer.null("b")
      writer.key("c")
      writer.array { writer in
        writer.element("x")
        writer.object { _ in }
        writer.array { $0.element("y") }
      }
      writer.seconds("d", milliseconds: 1_005)
    }
    #expect(
      String(decoding: writer.takeBytes(), as: UTF8.self)
        == #"{"a":18446744073709551615,"b":null,"c":["x",{},["y"]],"d":1.005}"#)
    #expect(writer.takeBytes().isEmpty)
  }

  @Test(arguments: [
    ("plain é 😀", "plain é 😀"), ("\"\\/", #"\"\\/"#), ("\n\t\r\u{0}\u{1f}\u{7f}", #"\n\t\u000d\u0000\u001f\u007f"#),
    // Order marks and invisible characters, one of them beyond the first plane.
    ("\u{202e}\u{200b}\u{feff}\u{e0001}", #"\u202e\u200b\ufeff\udb40\udc01"#),
  ])
  func escapesText(text: String, expected: String) {
    var writer = JSONWriter()
    writer.element(text)
    #expect(String(decoding: writer.takeBytes(), as: UTF8.self) == "\"\(expected)\"")
  }

  @Test(
    arguments: [
      ([0xff], "/w=="), ([0xff, 0x00], "/wA="), ([0xff, 0x00, 0x10], "/wAQ"), ([0x66, 0x6f, 0x6f, 0xfb], "Zm9v+w=="),
    ] as [([UInt8], String)])
  func addsTheBytesOfNamesThatAreNoText(bytes: [UInt8], base64: String) {
    var writer = JSONWriter()
    writer.object { $0.field("path", ByteString(bytes)) }
    #expect(String(decoding: writer.takeBytes(), as: UTF8.self).hasSuffix("\"pathBytes\":\"\(base64)\"}"))
  }
}

@Suite struct LocalClockTests {
  @Test func rendersTimesOfThePlace() {
    let zone = LocalTimeZone { $0 < 0 ? -3_600 : 7_200 }
    #expect(zone.text(Timestamp(nanoseconds: 0)) == "1970-01-01 02:00:00")
    #expect(zone.text(Timestamp(nanoseconds: -1)) == "1969-12-31 22:59:59")
    #expect(!zone.text(secondsSinceEpoch: .max).isEmpty && !zone.text(secondsSinceEpoch: .min).isEmpty)
  }
}
