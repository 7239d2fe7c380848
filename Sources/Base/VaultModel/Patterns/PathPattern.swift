/// A pattern of absolute paths: each component is a `NamePattern`, and `**` stands for any number of components.
///
/// `*` and `?` never match a `/`. A `**` at the end stands for everything inside: at least one component.
package struct PathPattern: Hashable, Sendable {
  package enum Component: Hashable, Sendable {
    case literal(ByteString)
    case pattern(NamePattern)
    /// Any number of names, none too.
    case anyDepth
  }

  package let components: [Component]
  /// As it was given, for messages.
  package let text: ByteString

  /// Reads a pattern.
  package init(pattern: ByteString) {
    text = pattern
    var components: [Component] = []
    let any: ByteString = "**"
    for part in pattern.bytes.split(separator: 0x2f) {
      if any.bytes.elementsEqual(part) {
        if components.last != .anyDepth { components.append(.anyDepth) }
        continue
      }
      let name = NamePattern(ByteString(part))
      components.append(name.literal.map { .literal($0) } ?? .pattern(name))
    }
    if components.last == .anyDepth { components.append(.pattern(NamePattern("*"))) }
    self.components = components
  }

  /// A path that stands for itself.
  package init(path: ByteString) {
    text = path
    components = path.bytes.split(separator: 0x2f).map { .literal(ByteString($0)) }
  }

  /// The one path that it stands for; nil when there may be several.
  package var path: ByteString? {
    var bytes: [UInt8] = []
    for component in components {
      guard case .literal(let name) = component else { return nil }
      bytes.append(0x2f)
      bytes += name.bytes
    }
    return bytes.isEmpty ? "/" : ByteString(bytes)
  }

  /// The bytes with a `\` before each that has a meaning in patterns.
  package static func escaping(_ path: ByteString) -> ByteString {
    ByteString(path.bytes.flatMap { [0x2a, 0x3f, 0x5b, 0x5c].contains($0) ? [0x5c, $0] : [$0] })
  }
}

/// Several patterns matched together while a walk goes down, name by name.
///
/// What is matched selects all below it, so nothing asks further there.
package struct PathPatternSet: Sendable {
  /// How far each pattern is matched: a directory's place in the walk.
  package struct Places: Hashable, Sendable {
    fileprivate var items: [Place]

    /// Whether nothing below can match.
    package var isEmpty: Bool { items.isEmpty }
  }

  fileprivate struct Place: Hashable, Comparable, Sendable {
    var pattern: Int
    var component: Int

    static func < (left: Place, right: Place) -> Bool {
      left.pattern == right.pattern ? left.component < right.component : left.pattern < right.pattern
    }
  }

  package let patterns: [PathPattern]

  package init(_ patterns: [PathPattern]) { self.patterns = patterns }

  /// The root directory's places.
  package var start: Places { Places(items: closure(patterns.indices.map { Place(pattern: $0, component: 0) })) }

  /// The places behind a name.
  package func step(_ places: Places, _ name: ByteString) -> Places {
    var next: [Place] = []
    for place in places.items {
      let components = patterns[place.pattern].components
      guard place.component < components.count else { continue }
      switch components[place.component] {
      case .literal(let wanted):
        if wanted == name { next.append(Place(pattern: place.pattern, component: place.component + 1)) }
      case .pattern(let pattern):
        if pattern.matches(name) { next.append(Place(pattern: place.pattern, component: place.component + 1)) }
      case .anyDepth: next.append(place)
      }
    }
    return Places(items: closure(next))
  }

  /// The patterns that end here.
  package func matched(_ places: Places) -> [Int] {
    places.items.filter { $0.component == patterns[$0.pattern].components.count }.map(\.pattern)
  }

  /// The only names that can lead on from here, sorted; nil when others may, too.
  package func names(_ places: Places) -> [ByteString]? {
    var names: Set<ByteString> = []
    for place in places.items {
      let components = patterns[place.pattern].components
      guard place.component < components.count else { continue }
      guard case .literal(let name) = components[place.component] else { return nil }
      names.insert(name)
    }
    return names.sorted()
  }

  /// With each place before a `**`, the one behind it; sorted, each once.
  private func closure(_ places: [Place]) -> [Place] {
    var all = places
    for place in places {
      let components = patterns[place.pattern].components
      // Two `**` never follow each other.
      if place.component < components.count, components[place.component] == .anyDepth {
        all.append(Place(pattern: place.pattern, component: place.component + 1))
      }
    }
    guard all.count > 1 else { return all }
    all.sort()
    var unique = 0
    for index in all.indices where index == 0 || all[index] != all[unique - 1] {
      all[unique] = all[index]
      unique += 1
    }
    all.removeSubrange(unique...)
    return all
  }
}
