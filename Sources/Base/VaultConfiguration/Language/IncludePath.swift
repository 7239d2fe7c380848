import VaultModel

/// The path behind an `@`: one file, or the files of a directory whose names match a pattern.
struct IncludePath {
  private let directory: ByteString
  private let name: [UInt8]

  /// - Parameter file: the including file; a relative path starts from its directory.
  init(_ path: [UInt8], from file: ByteString) {
    let slash = UInt8(ascii: "/")
    var whole = path
    if path.first != slash, let end = file.bytes.lastIndex(of: slash) { whole = file.bytes[...end] + path }
    let cut = whole.lastIndex(of: slash).map { $0 + 1 } ?? 0
    directory = ByteString(whole[..<cut])
    name = Array(whole[cut...])
  }

  /// The files meant, sorted by name; a directory that holds no match is no mistake.
  func files(at position: SourcePosition, context: ParseContext) -> [ByteString] {
    guard name.contains(where: { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }) else { return [path(name)] }
    do {
      let names = try context.environment.list(directory.isEmpty ? "." : directory)
      return names.filter { matches($0.bytes) }.sorted().map { path($0.bytes) }
    } catch {
      context.report(position, "the directory \(directory.displayText) cannot be listed: \(error)")
      return []
    }
  }

  private func path(_ name: [UInt8]) -> ByteString { ByteString(directory.bytes + name) }

  /// Whether a name matches the pattern: `*` any bytes, `?` one; a hidden name only a pattern that begins with a dot.
  private func matches(_ candidate: [UInt8]) -> Bool {
    if candidate.first == UInt8(ascii: "."), name.first != UInt8(ascii: ".") { return false }
    var patternIndex = 0
    var index = 0
    var retry: (pattern: Int, index: Int)?
    while index < candidate.count {
      if patternIndex < name.count, name[patternIndex] == UInt8(ascii: "*") {
        retry = (patternIndex, index)
        patternIndex += 1
      } else if patternIndex < name.count,
        name[patternIndex] == UInt8(ascii: "?") || name[patternIndex] == candidate[index]
      {
        patternIndex += 1
        index += 1
      } else if let last = retry {
        // The last star takes one byte more.
        retry = (last.pattern, last.index + 1)
        patternIndex = last.pattern + 1
        index = last.index + 1
      } else {
        return false
      }
    }
    return name[patternIndex...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
