import VaultModel

/// The patterns of a file of exclusions, a line each.
package enum ExclusionFile {
  /// A pattern and the line that it stands on, from 1.
  package struct Line: Hashable, Sendable {
    package let number: Int
    package let pattern: ByteString
  }

  /// Takes a file apart: without blank lines and comments, without a line's trailing spaces unless a backslash keeps them.
  package static func lines(of bytes: [UInt8]) -> [Line] {
    var lines: [Line] = []
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let text = bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...]
    for (index, line) in text.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      // Lines of other systems end in a carriage return, too.
      let bare = line.last == 0x0d && line.endIndex < text.endIndex ? line.dropLast() : line
      if bare.first == UInt8(ascii: "#") { continue }
      let pattern = withoutTrailingSpaces(bare)
      if !pattern.isEmpty { lines.append(Line(number: index + 1, pattern: ByteString(pattern))) }
    }
    return lines
  }

  private static func withoutTrailingSpaces(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var end = line.startIndex
    var position = line.startIndex
    while position < line.endIndex {
      let isEscape = line[position] == UInt8(ascii: "\\")
      let isSpace = line[position] == 0x20
      position += isEscape && position + 1 < line.endIndex ? 2 : 1
      if !isSpace { end = position }
    }
    return line[..<end]
  }
}
