import Testing
import VaultModel

/// How people and daemons write the way that data is compressed.
@Suite struct CompressionTests {
  @Test(
    arguments: [
      ("lz4", .lz4), ("LZ4", .lz4), ("none", .none), ("None", .none), ("zstd", .zstd(level: 3)),
      ("ZSTD:1", .zstd(level: 1)), ("zstd:9", .zstd(level: 9)), ("zstd:19", .zstd(level: 19)),
      ("zstd:07", .zstd(level: 7)),
    ] as [(String, Compression)])
  func isRead(_ text: String, _ compression: Compression) {
    #expect(Compression(reading: text) == compression)
    #expect(Compression(reading: compression.text) == compression)
  }

  @Test(arguments: [
    "", ":", "gzip", "lz4:1", "none:", "zstd:", "zstd:0", "zstd:20", "zstd:-1", "zstd:+3", "zstd: 3", "zstd:3:4",
    "zstd:x",
    "zstd:999999999999999999999", "zstd3", " zstd", "zstd:٣",
  ])
  func isRefused(_ text: String) {
    #expect(Compression(reading: text) == nil)
  }
}
