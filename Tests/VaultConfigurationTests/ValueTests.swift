import Testing
import VaultConfiguration
import VaultModel

@Suite struct ValueTests {
  @Test(
    arguments: [
      ("0", 0), ("1", 1), ("512 b", 512), ("10G", 10 << 30), ("4095 MiB", 4_095 << 20), ("4095mib", 4_095 << 20),
      ("1.5g", 3 << 29), ("1.000000001 K", 1_024), ("10 KB", 10_000), ("2tb", 2_000_000_000_000), ("1 P", 1 << 50),
      (" 7 bytes ", 7), ("18446744073709551615", .max),
    ] as [(String, UInt64)])
  func readsSizes(text: String, bytes: UInt64) {
    #expect(SizeText.parse(text) == bytes)
  }

  @Test(arguments: [
    "", "G", "1X", "1 GG", "-1", "1.G", ".5G", "1.1234567891G", "18446744073709551616", "16384P", "1 G 2", "1e3",
    "0x10", "1,5G",
  ])
  func refusesSizes(text: String) {
    #expect(SizeText.parse(text) == nil)
  }

  @Test(
    arguments: [
      (0, "0"), (1, "1"), (1_024, "1 KiB"), (4_095 << 20, "4095 MiB"), (10 << 30, "10 GiB"), (1_025, "1025"),
      (.max, "18446744073709551615"),
    ] as [(UInt64, String)])
  func rendersSizes(bytes: UInt64, text: String) {
    #expect(SizeText.render(bytes) == text)
    #expect(SizeText.parse(text) == bytes)
  }

  @Test(
    arguments: [
      ("3d", 259_200), ("30 days", 2_592_000), ("60 minutes", 3_600), ("90", 90), ("1 hour 30 min", 5_400),
      ("1h30mi", 5_400),
      ("2 weeks", 1_209_600), ("6 months", 15_552_000), ("1 year", 31_536_000), ("1.5 h", 5_400), ("1 Q", 7_862_400),
      ("10 sec", 10), ("1h 30m", 5_400), ("1 d 2 h 5 m 1 s", 93_901),
    ] as [(String, UInt64)])
  func readsDurations(text: String, seconds: UInt64) {
    #expect(DurationText.parse(text, bareUnit: .second) == seconds)
  }

  @Test(arguments: ["", "d", "5 m", "3 fortnights", "1 h 30", "1 d 5 m", "-1 d", "99999999999999999 years", "1 d,"])
  func refusesDurations(text: String) {
    #expect(DurationText.parse(text, bareUnit: .second) == nil)
  }

  @Test(
    arguments: [
      ("10 MB/s", 10_000_000), ("512k", 512 << 10), ("1 MiB/s ", 1 << 20), ("7/S", 7), ("/s", nil), ("1 MB/h", nil),
      ("1 M/s/s", nil),
    ] as [(String, UInt64?)])
  func readsSpeeds(text: String, bytes: UInt64?) {
    #expect(SpeedText.parse(text) == bytes)
  }

  @Test(
    arguments: [
      ("10.0.0.1", .ipv4, "10.0.0.1"), ("::1", .ipv6, "[::1]"), ("[2001:db8::5]", .ipv6, "[2001:db8::5]"),
      ("fe80::1%eth0", .ipv6, "[fe80::1%eth0]"), ("web1", .name, "web1"), ("a.example.com.", .name, "a.example.com."),
      ("_sd._tcp.x", .name, "_sd._tcp.x"), ("::ffff:10.0.0.1", .ipv6, "[::ffff:10.0.0.1]"),
      ("1und1.de", .name, "1und1.de"),
    ] as [(String, HostAddress.Form, String)])
  func readsHosts(text: String, form: HostAddress.Form, shown: String) {
    let host = HostAddress(reading: text)
    #expect(host?.form == form)
    #expect(host?.description == shown)
  }

  @Test(arguments: [
    "", "10.0.0.256", "10.0.0", "web1:9102", "[web1]", "[10.0.0.1]", ":::1", "[::1", "::1]", "::1%", "::1%a/b", "a..b",
    "-a",
    "a-", "a b", "web1/x", "é", "fe80::1%eth0%x", "[]", String(repeating: "a", count: 64),
  ])
  func refusesHosts(text: String) {
    #expect(HostAddress(reading: text) == nil)
  }

  @Test(
    arguments: [
      ("*", nil, nil), ("*:9101", nil, 9101), ("10.0.0.1", "10.0.0.1", nil), ("10.0.0.1:1", "10.0.0.1", 1),
      ("::1", "::1", nil), ("[::1]", "::1", nil), ("[::1]:9101", "::1", 9101), ("web1:65535", "web1", 65_535),
    ] as [(String, String?, UInt16?)])
  func readsWhereToListen(text: String, host: String?, port: UInt16?) throws {
    let address = try #require(ListenAddress(reading: text))
    #expect(address.host?.text == host)
    #expect(address.port == port)
  }

  @Test(arguments: ["", ":9101", "*:", "*:0", "*:65536", "*:+1", "[::1]:x", "[::1]9101", "a:b:c", "**"])
  func refusesWhereToListen(text: String) {
    #expect(ListenAddress(reading: text) == nil)
  }

  @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
  func readsAndWritesBase64(text: String, encoded: String) {
    #expect(Base64.encode(Array(text.utf8)) == encoded)
    #expect(Base64.decode(encoded.utf8) == Array(text.utf8))
  }

  @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zg==\n", "Zm9v=", "====", "Zm9v Zm9v", "Zm-v"])
  func refusesBase64(text: String) {
    #expect(Base64.decode(text.utf8) == nil)
  }

  @Test func aPasswordIsAKeyOrTyped() {
    let key = (0..<32).map { UInt8($0 * 8) }
    #expect(Password(reading: ByteString("key:" + Base64.encode(key))) == .key(key))
    #expect(Password(reading: "key of the door") == .typed(Array("key of the door".utf8)))
    #expect(Password(reading: "") == nil)
    #expect(Password(reading: ByteString("key:" + Base64.encode(Array(key.dropLast())))) == nil)
    #expect(Password(reading: "key:") == nil)
    // Whoever prints one tells nothing.
    #expect("\(Password.typed(Array("secret".utf8)))" == "a typed password")
  }

  @Test func aNumberAloneNeedsAUnitWhereItSaysSo() {
    #expect(DurationText.parse("90", bareUnit: .none) == nil)
    #expect(DurationText.parse("90 s", bareUnit: .none) == 90)
  }

  @Test(
    arguments: [
      (0, 0, "1970-01-01T00:00:00Z"), (-1, 0, "1969-12-31T23:59:59Z"), (951_782_400, 0, "2000-02-29T00:00:00Z"),
      (4_107_542_399, 0, "2100-02-28T23:59:59Z"), (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
      (-62_167_219_200, 0, "0000-01-01T00:00:00Z"), (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
    ] as [(Int64, UInt32, String)])
  func rendersTimes(seconds: Int64, nanoseconds: UInt32, text: String) {
    #expect(RFC3339.render(seconds: seconds, nanoseconds: nanoseconds, fractionDigits: 0) == text)
  }

  @Test func rendersTimesOfDamagedData() {
    #expect(RFC3339.render(seconds: .max, nanoseconds: .max, fractionDigits: 9).hasSuffix("Z"))
    #expect(RFC3339.render(seconds: .min, nanoseconds: 0, fractionDigits: 9).hasPrefix("-"))
    #expect(RFC3339.render(Timestamp(nanoseconds: .min)) == "1677-09-21T00:12:43.145224192Z")
    #expect(RFC3339.render(Timestamp(nanoseconds: -1)) == "1969-12-31T23:59:59.999999999Z")
  }

  @Test(
    arguments: [
      ("2026-01-31T12:00:00Z", 1_769_860_800_000_000_000, 1_000_000_000),
      ("2026-01-31t12:00:00.5z", 1_769_860_800_500_000_000, 100_000_000),
      ("2026-01-31 13:00:00.123456789+01:00", 1_769_860_800_123_456_789, 1),
      ("2026-01-31T06:30:00-05:30", 1_769_860_800_000_000_000, 1_000_000_000),
      ("2016-12-31T23:59:60Z", 1_483_228_799_999_999_999, 1),
    ] as [(String, Int64, Int64)])
  func readsTimes(text: String, nanoseconds: Int64, unit: Int64) {
    #expect(RFC3339.parse(text)?.instant.nanoseconds == nanoseconds)
    #expect(RFC3339.parse(text)?.unitNanoseconds == unit)
  }

  @Test(arguments: [
    "", "2026-01-31", "2026-01-31T12:00Z", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:61Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z",
    "2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00Z ", "1600-01-31T12:00:00Z", "2300-01-31T12:00:00Z",
    "2026-01-00T12:00:00Z",
  ])
  func refusesTimes(text: String) {
    #expect(RFC3339.parse(text) == nil)
  }

  @Test func everyDayOfFourCenturiesComesBack() {
    let wrong = (Int64(-146_097)...146_097).filter { day in
      let date = CalendarDate(daysSinceEpoch: day)
      let again = CalendarDate(year: date.year, month: date.month, day: date.day)
      return again != date || again?.daysSinceEpoch != day
    }
    #expect(wrong == [])
  }
}
