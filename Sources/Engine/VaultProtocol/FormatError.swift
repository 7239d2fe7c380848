import VaultModel

/// Bytes that do not have the form they should: from a peer, a volume or a database.
package struct FormatError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// The bytes end before what they announce.
    case truncated
    /// A number lies outside its bounds.
    case outOfBounds
    case badMagic
    /// A newer program wrote this.
    case unsupportedVersion(UInt16)
    case checksumMismatch
    /// A critical kind, flag or tag that this program does not know.
    case unknownCritical(UInt32)
    /// A codec or cipher that this program does not know.
    case unknownCodec(UInt8)
    /// A name component that is empty, `.`, `..`, or holds `/` or NUL; a path that is not absolute.
    case illegalName
    /// A field that must be zero is not, or two fields contradict each other.
    case malformed
  }

  package let kind: Kind
  /// What was being read: "record group header", "entry record".
  package let object: String

  package init(_ kind: Kind, _ object: String) {
    self.kind = kind
    self.object = object
  }

  package var exitStatus: ExitStatus {
    switch kind {
    case .unsupportedVersion, .unknownCritical, .unknownCodec: .usage
    default: .damaged
    }
  }

  package var description: String {
    switch kind {
    case .truncated: "the \(object) ends too early"
    case .outOfBounds: "the \(object) holds a number outside its bounds"
    case .badMagic: "the \(object) does not begin with its magic bytes"
    case .unsupportedVersion(let version):
      "the \(object) has format version \(version), which a newer program wrote; this one reads version 0"
    case .checksumMismatch: "the \(object) does not match its checksum"
    case .unknownCritical(let number): "the \(object) needs feature \(number), which this program does not have"
    case .unknownCodec(let number): "the \(object) uses codec \(number), which this program does not have"
    case .illegalName: "the \(object) holds a name that no directory can hold"
    case .malformed: "the \(object) contradicts itself"
    }
  }
}
