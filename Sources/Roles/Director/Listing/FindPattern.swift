import VaultModel

/// A pattern as a shell has it: `*` and `?` stand for any bytes and any byte, `[a-z]` and `[!a-z]` for a byte of a set,
/// a backslash takes the meaning off what follows.
///
/// A pattern without `/` is matched against names, one with `/` against whole paths, where `*` and `?` pass over no `/`
/// and `**` does; one that does not begin with `/` may begin at any directory. Bytes count, not characters.
struct FindPattern: Sendable {
  private enum Piece: Hashable {
    case byte(UInt8)
    case any
    case set([ClosedRange<UInt8>], isNegated: Bool)
    case star
    case doubleStar
  }

  private let pieces: [Piece]
  /// Whether the pattern is for whole paths.
  let isForPaths: Bool

  init(_ pattern: ByteString) {
    isForPaths = pattern.bytes.contains(0x2f)
    var pieces: [Piece] = []
    var rest = pattern.bytes[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "*"):
        var isDouble = false
        while rest.first == UInt8(ascii: "*") {
          rest.removeFirst()
          isDouble = true
        }
        pieces.append(isDouble ? .doubleStar : .star)
      case UInt8(ascii: "?"): pieces.append(.any)
      case UInt8(ascii: "["):
        if let set = Self.takeSet(&rest) { pieces.append(set) } else { pieces.append(.byte(byte)) }
      case UInt8(ascii: "\\"): pieces.append(.byte(rest.popFirst() ?? byte))
      default: pieces.append(.byte(byte))
      }
    }
    let isAnywhere = isForPaths && pattern.bytes.first != 0x2f
    self.pieces = isAnywhere ? [.doubleStar, .byte(0x2f)] + pieces : pieces
  }

  /// The set behind an opening bracket; nil, and nothing taken, when no bracket closes it.
  private static func takeSet(_ rest: inout ArraySlice<UInt8>) -> Piece? {
    var set = rest
    var isNegated = false
    if let first = set.first, first == UInt8(ascii: "!") || first == UInt8(ascii: "^") {
      isNegated = true
      set.removeFirst()
    }
    var ranges: [ClosedRange<UInt8>] = []
    while var low = set.popFirst() {
      if low == UInt8(ascii: "]"), !ranges.isEmpty {
        rest = set
        return .set(ranges, isNegated: isNegated)
      }
      if low == UInt8(ascii: "\\"), let next = set.popFirst() { low = next }
      var high = low
      if set.first == UInt8(ascii: "-"), let end = set.dropFirst().first, end != UInt8(ascii: "]") {
        set.removeFirst(2)
        high = end
      }
      ranges.append(min(low, high)...max(low, high))
    }
    return nil
  }

  /// Whether the pattern takes a name in a directory, given by its key.
  func matches(directory: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) -> Bool {
    isForPaths ? matches(Subject(key: directory, name: name)) : matches(Subject(key: nil, name: name))
  }

  /// A name, or a path put together from a directory's key and a name, byte by byte and without a copy.
  private struct Subject {
    let key: UnsafeRawBufferPointer?
    let name: UnsafeRawBufferPointer

    var count: Int { key.map { $0.count + 1 + name.count } ?? name.count }

    subscript(_ index: Int) -> UInt8 {
      guard let key else { return name[index] }
      if index < key.count { return key[index] == 0 ? 0x2f : key[index] }
      return index == key.count ? 0x2f : name[index - key.count - 1]
    }
  }

  /// Goes back to the last star of each kind that may take more; nothing before these needs to be tried again.
  private func matches(_ subject: Subject) -> Bool {
    var (piece, index) = (0, 0)
    var star: (piece: Int, index: Int)?
    var doubleStar: (piece: Int, index: Int)?
    while true {
      if piece < pieces.count {
        switch pieces[piece] {
        case .star:
          star = (piece, index)
          piece += 1
          continue
        case .doubleStar:
          doubleStar = (piece, index)
          star = nil
          piece += 1
          continue
        default:
          if index < subject.count, takes(pieces[piece], subject[index]) {
            piece += 1
            index += 1
            continue
          }
        }
      } else if index == subject.count {
        return true
      }
      if let (at, from) = star, from < subject.count, !isForPaths || subject[from] != 0x2f {
        star = (at, from + 1)
        (piece, index) = (at + 1, from + 1)
      } else if let (at, from) = doubleStar, from < subject.count {
        doubleStar = (at, from + 1)
        star = nil
        (piece, index) = (at + 1, from + 1)
      } else {
        return false
      }
    }
  }

  private func takes(_ piece: Piece, _ byte: UInt8) -> Bool {
    switch piece {
    case .byte(let wanted): wanted == byte
    case .any: !isForPaths || byte != 0x2f
    case .set(let ranges, let isNegated):
      (!isForPaths || byte != 0x2f) && ranges.contains { $0.contains(byte) } != isNegated
    case .star, .doubleStar: false
    }
  }
}
