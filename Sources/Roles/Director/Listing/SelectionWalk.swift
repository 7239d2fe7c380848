import VaultCatalog
import VaultModel

/// Walks the catalog in canonical order and finds what patterns of paths select.
///
/// It goes from directory to directory of the tree, asks for names only where one could match, and passes over what lies
/// below a name that leads nowhere or is selected as a whole; where only certain names can lead on, it asks for those.
/// Memory holds one page of names and the way down.
struct SelectionWalk {
  enum Piece {
    /// An entry that is selected.
    case entry(StateRow)
    /// Everything inside a directory that is selected; in an unpublished job the directory itself may have no entry.
    case below(DirectoryKey)
  }

  private static let directoriesPerPage = 64

  private let catalog: any CatalogStore
  private let source: SelectionSource
  private let patterns: PathPatternSet
  /// Directories from this key on are still to be looked at; nil at the end.
  private var nextKey: [UInt8]? = []
  private var page: ArraySlice<DirectoryKey> = []
  /// The names on the way to the last directory, and what is matched behind each.
  private var way: [(name: ByteString, places: PathPatternSet.Places)] = []
  private var current: Directory?

  /// The directory whose names are being matched.
  private struct Directory {
    let key: DirectoryKey
    let places: PathPatternSet.Places
    /// The names that can match, when those are known.
    let names: [ByteString]?
    var last: ByteString?
  }

  init(catalog: any CatalogStore, source: SelectionSource, patterns: [PathPattern]) {
    self.catalog = catalog
    self.source = source
    self.patterns = PathPatternSet(patterns)
  }

  /// The next pieces; nil at the end. An answer may be empty.
  ///
  /// - Parameter limit: names that are looked at, at most.
  mutating func next(limit: Int) throws -> [Piece]? {
    if current != nil { return try matchNames(limit) }
    guard let key = try nextDirectory() else { return nil }
    return enter(key).map { [$0] } ?? []
  }

  // MARK: Directories

  private mutating func nextDirectory() throws -> DirectoryKey? {
    guard let from = nextKey else { return nil }
    // The root holds names whether or not it has a row.
    if from.isEmpty { return .root }
    let wanted = ByteString(from)
    page = page.drop { $0.bytes < wanted }
    if page.isEmpty { page = try catalog.directories(of: source, from: from, limit: Self.directoriesPerPage)[...] }
    guard let key = page.popFirst() else {
      nextKey = nil
      return nil
    }
    return key
  }

  /// Decides what becomes of a directory, and where to go on.
  private mutating func enter(_ key: DirectoryKey) -> Piece? {
    let names =
      key.bytes.bytes.isEmpty ? [] : key.bytes.bytes.dropFirst().split(separator: 0, omittingEmptySubsequences: false)
    let known = zip(way, names).prefix { $0.name.bytes.elementsEqual($1) }.count
    way.removeSubrange(known...)
    var places = way.last?.places ?? patterns.start
    var above = DirectoryKey(path: ByteString(way.flatMap { [0x2f] + $0.name.bytes }))
    for component in names[known...] {
      if !patterns.matched(places).isEmpty { return select(above) }
      let name = ByteString(component)
      let next = patterns.step(places, name)
      guard !next.isEmpty else {
        skip(name, in: above, leading: patterns.names(places))
        return nil
      }
      way.append((name, next))
      above = above.appending(name)
      places = next
    }
    if !patterns.matched(places).isEmpty { return select(above) }
    current = Directory(key: key, places: places, names: patterns.names(places))
    return nil
  }

  private mutating func select(_ key: DirectoryKey) -> Piece {
    nextKey = key.bytes.isEmpty ? nil : key.bytes.bytes + [1]
    return .below(key)
  }

  /// Passes over a directory that leads nowhere: to the next name that does, if those are known.
  private mutating func skip(_ name: ByteString, in above: DirectoryKey, leading names: [ByteString]?) {
    guard let names else {
      nextKey = above.appending(name).bytes.bytes + [1]
      return
    }
    nextKey = names.first { name < $0 }.map { above.appending($0).bytes.bytes } ?? Self.behind(above)
  }

  private static func behind(_ key: DirectoryKey) -> [UInt8]? { key.bytes.isEmpty ? nil : key.bytes.bytes + [1] }

  // MARK: Names

  private mutating func matchNames(_ limit: Int) throws -> [Piece] {
    guard var directory = current else { return [] }
    var pieces: [Piece] = []
    var isAtEnd: Bool
    if let names = directory.names {
      let rest = names.drop { name in directory.last.map { name <= $0 } ?? false }
      for name in rest.prefix(limit) {
        directory.last = name
        guard isMatched(name, in: directory) else { continue }
        let place = CanonicalPosition(directory: directory.key, name: name)
        guard let entry = try catalog.entry(of: source, at: place) else { continue }
        pieces.append(.entry(StateRow(directory: directory.key, entry: entry, first: 0)))
      }
      isAtEnd = rest.count <= limit
    } else {
      var rows: [StateRow] = []
      isAtEnd = try !catalog.readDirectory(
        of: source, directory: directory.key, after: directory.last, limit: limit
      ) { rows.append($0) }
      directory.last = rows.last?.entry.name ?? directory.last
      pieces = rows.filter { isMatched($0.entry.name, in: directory) }.map { .entry($0) }
    }
    current = isAtEnd ? nil : directory
    if isAtEnd {
      let first = directory.names.map { $0.first.map { directory.key.appending($0) } }
      // Without names that are known, everything below the directory comes next.
      nextKey = first.map { $0?.bytes.bytes ?? Self.behind(directory.key) } ?? directory.key.bytes.bytes + [0]
    }
    return pieces
  }

  private func isMatched(_ name: ByteString, in directory: Directory) -> Bool {
    !patterns.matched(patterns.step(directory.places, name)).isEmpty
  }
}
