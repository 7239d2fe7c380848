/// How what a job saves is compressed.
package enum Compression: Hashable, Sendable {
  case none
  case lz4
  /// Zstandard, at one of `zstdLevels`.
  case zstd(level: Int)

  /// From the fastest level to the one that stores least.
  package static let zstdLevels = 1...19
  /// The level where none is given.
  package static let defaultZstdLevel = 3
  /// What a text of it may be, for complaints.
  package static let expectation =
    "lz4, none, zstd, or zstd with a level from \(zstdLevels.lowerBound) to \(zstdLevels.upperBound) such as zstd:9"

  /// Reads how people, configurations and control lines write it, without regard to case; nil when it is nothing of the kind.
  package init?(reading text: String) {
    let words = text.lowercased().split(separator: ":", omittingEmptySubsequences: false)
    switch (words.first, words.count) {
    case ("none", 1): self = .none
    case ("lz4", 1): self = .lz4
    case ("zstd", 1): self = .zstd(level: Self.defaultZstdLevel)
    case ("zstd", 2):
      guard words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let level = Int(words[1]),
        Self.zstdLevels.contains(level)
      else { return nil }
      self = .zstd(level: level)
    default: return nil
    }
  }

  /// The text that `init(reading:)` gives this value back for.
  package var text: String {
    switch self {
    case .none: "none"
    case .lz4: "lz4"
    case .zstd(let level): "zstd:\(level)"
    }
  }
}
