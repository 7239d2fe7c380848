import Glibc
import VaultModel

/// The paths that a job saves: absolute, normalised, sorted.
///
/// They are the virtual top of the walk: a directory that only leads to selected paths is an entry, but lists only the
/// names on the way to them.
package struct PathSelection: Hashable, Sendable {
  /// What was selected, bytewise sorted, without paths that lie within others.
  package var paths: [ByteString] { keys.filter { !hasSelectedAncestor($0) }.map(\.path).sorted() }

  /// Everything that was given, in canonical order; a nested path counts where a mount point lies between.
  let keys: [DirectoryKey]

  /// Whether a selected path lies within another one.
  let isNested: Bool

  /// Normalises `paths`: relative ones begin at `workingDirectory`; `.`, `..` and `//` are resolved without looking at the disk.
  ///
  /// - Throws: `.invalidPath` for a path that is empty or holds a NUL.
  package init(paths: [ByteString], workingDirectory: ByteString) throws(FileSetError) {
    var keys: Set<DirectoryKey> = []
    for path in paths {
      guard !path.isEmpty, !path.bytes.contains(0) else { throw FileSetError(.invalidPath, path) }
      keys.insert(Self.normalised(path, from: workingDirectory))
    }
    self.init(keys: keys)
  }

  private init(keys: some Sequence<DirectoryKey>) {
    let keys = keys.sorted()
    self.keys = keys
    let known = Set(keys)
    isNested = keys.contains { key in
      sequence(first: key) { $0.parentAndName?.parent }.dropFirst().contains { known.contains($0) }
    }
  }

  /// The same selection with symbolic links above each selected path resolved; the path itself stays what it is.
  ///
  /// The walk follows no links: without this a path through `/var/run` would lead nowhere. A path that does not
  /// exist stays as it is and is reported by the walk.
  package func resolvingLinksAbove() -> PathSelection {
    PathSelection(keys: Set(keys.map(Self.resolvingLinksAbove)))
  }

  private static func resolvingLinksAbove(_ key: DirectoryKey) -> DirectoryKey {
    guard let (parent, name) = key.parentAndName else { return key }
    return parent.path.withCString { path in
      guard let resolved = realpath(path, nil) else { return key }
      defer { free(resolved) }
      let bytes = UnsafeRawBufferPointer(start: resolved, count: strlen(resolved))
      return DirectoryKey(path: ByteString(bytes)).appending(name)
    }
  }

  private static func normalised(_ path: ByteString, from workingDirectory: ByteString) -> DirectoryKey {
    let slash = UInt8(ascii: "/")
    let absolute = path.bytes.first == slash ? path.bytes : workingDirectory.bytes + [slash] + path.bytes
    var components: [ArraySlice<UInt8>] = []
    for component in absolute.split(separator: slash) {
      if component.elementsEqual(".".utf8) { continue }
      if component.elementsEqual("..".utf8) {
        _ = components.popLast()
      } else {
        components.append(component)
      }
    }
    return DirectoryKey(path: ByteString(components.joined(separator: [slash])))
  }

  private func hasSelectedAncestor(_ key: DirectoryKey) -> Bool {
    var ancestor = key
    while let (parent, _) = ancestor.parentAndName {
      if contains(parent) { return true }
      ancestor = parent
    }
    return false
  }

  // MARK: What the walk asks

  /// Whether the path itself was given.
  func contains(_ key: DirectoryKey) -> Bool {
    let index = firstIndex { !($0 < key) }
    return index < keys.count && keys[index] == key
  }

  /// The names in a directory that lead to selected paths, sorted; `isSelected` when the name is the path's last.
  func names(in directory: DirectoryKey) -> [(name: ByteString, isSelected: Bool)] {
    let prefix = directory.bytes.bytes + [0]
    let prefixKey = DirectoryKey(keyBytes: prefix)
    var names: [(name: ByteString, isSelected: Bool)] = []
    for key in keys[firstIndex(where: { !($0 < prefixKey) })...] {
      guard key.bytes.bytes.starts(with: prefix) else { break }
      let rest = key.bytes.bytes[prefix.count...]
      let name = ByteString(rest.prefix { $0 != 0 })
      // The path that ends here comes before those below it.
      if names.last?.name != name { names.append((name, rest.count == name.count)) }
    }
    return names
  }

  private func firstIndex(where isAtOrAfter: (DirectoryKey) -> Bool) -> Int {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if isAtOrAfter(keys[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
