import VaultModel

/// A set of paths as places in canonical order.
struct SelectionPlan {
  /// One stretch of canonical order.
  enum Piece: Hashable {
    /// A directory on the way to a selected path.
    case ancestor(CanonicalPosition)
    /// A selected path's own entry.
    case selected(CanonicalPosition)
    /// A selected directory's insides.
    case below(DirectoryRange)

    /// Where the stretch begins.
    var start: CanonicalPosition {
      switch self {
      case .ancestor(let position), .selected(let position): position
      case .below(let range): CanonicalPosition(directory: DirectoryKey(keyBytes: range.low), name: "")
      }
    }
  }

  /// Disjoint, in canonical order.
  private(set) var pieces: [Piece]

  init(paths: [ByteString]) {
    let roots = Self.withoutNested(paths.map { DirectoryKey(path: $0) })
    guard let first = roots.first, !first.bytes.isEmpty else {
      pieces = [.below(.everything)]
      return
    }
    var selected: [Piece] = []
    var ancestors: Set<CanonicalPosition> = []
    for root in roots {
      guard let place = root.parentAndName else { continue }
      selected.append(.selected(CanonicalPosition(directory: place.parent, name: place.name)))
      selected.append(.below(DirectoryRange(within: root)))
      var directory = place.parent
      while let above = directory.parentAndName {
        guard ancestors.insert(CanonicalPosition(directory: above.parent, name: above.name)).inserted else { break }
        directory = above.parent
      }
      ancestors.insert(CanonicalPosition(directory: .root, name: ""))
    }
    pieces = (ancestors.map { .ancestor($0) } + selected).sorted { $0.start < $1.start }
  }

  /// The keys that lie within no other, in order; the root alone when there are none.
  private static func withoutNested(_ keys: [DirectoryKey]) -> [DirectoryKey] {
    var roots: [DirectoryKey] = []
    for key in keys.sorted() {
      if let last = roots.last, key.isWithin(last) { continue }
      roots.append(key)
    }
    return roots
  }
}
