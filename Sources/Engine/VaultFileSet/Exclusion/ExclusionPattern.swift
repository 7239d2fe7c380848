import VaultModel

/// One pattern of what is left out, as in gitignore(5), compiled; the rules are in vault-local(1).
package struct ExclusionPattern: Sendable, Hashable {
  /// Bytes of a pattern at most: no path that a system call takes is longer.
  package static let byteLimit = 4096

  enum Component: Sendable, Hashable {
    /// `**`: any number of names, none included; at the end at least one.
    case anyNames
    case name(NameGlob)
  }

  enum Body: Sendable, Hashable {
    /// Without a slash: a name at any depth.
    case name(NameGlob)
    /// With a slash: the names from a given path on.
    case path([Component])
  }

  /// `!`: what it matches is saved although an earlier pattern left it out.
  let isNegated: Bool
  /// A trailing slash: only directories.
  let isDirectoryOnly: Bool
  let body: Body

  /// Compiles a pattern as it stands: a line of a file that is not blank and no comment, or an argument.
  package init(_ pattern: ByteString) throws(ExclusionPatternError) {
    guard pattern.count <= Self.byteLimit else { throw ExclusionPatternError(.tooLong, pattern) }
    guard !pattern.bytes.contains(0) else { throw ExclusionPatternError(.holdsNUL, pattern) }
    var rest = pattern.bytes[...]
    isNegated = rest.first == UInt8(ascii: "!")
    if isNegated { rest = rest.dropFirst() }
    isDirectoryOnly = rest.last == Self.slash
    if isDirectoryOnly { rest = rest.dropLast() }
    let hasSlash = rest.contains(Self.slash)
    if rest.first == Self.slash { rest = rest.dropFirst() }
    guard !rest.isEmpty else { throw ExclusionPatternError(.namesNothing, pattern) }

    var compiler = GlobCompiler(rest)
    var components: [Component] = []
    do throws(ExclusionPatternError.Kind) {
      while let tokens = try compiler.nextName() {
        try Self.refuseImpossible(tokens)
        let isAnyNames = hasSlash && tokens.isStarsOnly
        // Two in a row are one; but at the end they stand for at least one name, which one alone does as well.
        if isAnyNames, components.last == .anyNames { continue }
        components.append(isAnyNames ? .anyNames : .name(NameGlob(tokens.collapsed)))
      }
    } catch {
      throw ExclusionPatternError(error, pattern)
    }
    body = Self.body(components, hasSlash: hasSlash)
  }

  private static let slash = UInt8(ascii: "/")

  private static func body(_ components: [Component], hasSlash: Bool) -> Body {
    // `**/name` is a name at any depth.
    if components.count == 2, components[0] == .anyNames, case .name(let glob) = components[1] { return .name(glob) }
    if !hasSlash, components.count == 1, case .name(let glob) = components[0] { return .name(glob) }
    return .path(components)
  }

  /// Names that no file has: whoever writes such a pattern means something else.
  private static func refuseImpossible(_ tokens: GlobCompiler.Name) throws(ExclusionPatternError.Kind) {
    switch tokens.tokens {
    case []: throw .emptyName
    case [.byte(UInt8(ascii: "."))], [.byte(UInt8(ascii: ".")), .byte(UInt8(ascii: "."))]: throw .dotName
    default: return
    }
  }
}

/// A pattern that cannot be meant as it stands.
package struct ExclusionPatternError: DescribedError, Hashable {
  package enum Kind: Error, Hashable, Sendable {
    case namesNothing
    case emptyName
    case dotName
    case openBracket
    case unknownClass(ByteString)
    case emptyRange
    case trailingBackslash
    case holdsNUL
    case tooLong
  }

  package let kind: Kind
  package let pattern: ByteString
  /// Where the pattern stands, such as `file:12`; nil for one without a place.
  package var place: String?

  package init(_ kind: Kind, _ pattern: ByteString, place: String? = nil) {
    self.kind = kind
    self.pattern = pattern
    self.place = place
  }

  package var exitStatus: ExitStatus { .usage }

  package var description: String {
    let shown = String(pattern.displayText.prefix(200))
    return "\(place.map { $0 + ": " } ?? "")The exclusion pattern '\(shown)' \(complaint)."
  }

  private var complaint: String {
    switch kind {
    case .namesNothing: "names nothing; write a name between the slashes, or remove it"
    case .emptyName: "has two slashes in a row; write one"
    case .dotName: "has '.' or '..' as a name, which no file has; write it from a path on that is saved, as in /name"
    case .openBracket: "has a '[' without its ']'; write \\[ for the character"
    case .unknownClass(let name):
      "has the unknown class [:\(name.displayText):]; expected alnum, alpha, blank, cntrl, digit, graph, lower, print, "
        + "punct, space, upper or xdigit"
    case .emptyRange: "has a range that ends before it begins; write the lower character first"
    case .trailingBackslash: "ends in a backslash; write \\\\ for the character"
    case .holdsNUL: "holds a NUL, which no name does"
    case .tooLong: "is longer than \(ExclusionPattern.byteLimit) bytes"
    }
  }
}
