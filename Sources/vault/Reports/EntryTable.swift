import Console
import VaultConfiguration
import VaultModel
import VaultScheduler

/// The list of what was saved, written while it arrives.
final class EntryTable: Sendable {
  enum Form: Sendable {
    /// A path a line.
    case short
    case long
    case json
  }

  private let output: StandardOutput
  private let zone: LocalTimeZone
  private let form: Form
  private let array: StreamedArray

  init(output: StandardOutput, zone: LocalTimeZone, form: Form) {
    self.output = output
    self.zone = zone
    self.form = form
    array = StreamedArray(output: output)
  }

  func add(_ listing: EntryListing) {
    switch form {
    case .short: output.write(listing.path.displayText + "\n")
    case .long: output.write(long(listing))
    case .json:
      array.add { $0.entry(listing) }
    }
  }

  /// Ends the list.
  func end() {
    if form == .json { array.end() }
  }

  private func long(_ listing: EntryListing) -> String {
    let attributes = listing.entry.attributes
    var line =
      "\(attributes.modeText) \(padded(String(attributes.owner), 5)) \(padded(String(attributes.group), 5)) "
      + "\(padded(String(listing.entry.contentSize), 12)) \(zone.text(secondsSinceEpoch: attributes.modified.seconds)) "
      + listing.path.displayText
    if attributes.type == .symbolicLink { line += " -> " + listing.entry.linkTarget.displayText }
    return line + "\n"
  }

  private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
  }
}

extension JSONWriter {
  /// The fields of an entry.
  mutating func entry(_ listing: EntryListing) {
    let attributes = listing.entry.attributes
    let mode = String(attributes.mode & 0o7777, radix: 8)
    field("path", listing.path)
    field("type", attributes.type.title)
    field("mode", String(repeating: "0", count: 4 - mode.count) + mode)
    field("owner", UInt64(attributes.owner))
    field("group", UInt64(attributes.group))
    field("size", listing.entry.contentSize)
    let modified = attributes.modified
    field("modified", RFC3339.render(seconds: modified.seconds, nanoseconds: modified.nanoseconds, fractionDigits: 9))
    if attributes.type == .symbolicLink { field("linkTarget", listing.entry.linkTarget) }
    if let sealed = listing.entry.sealed {
      field("digest", sealed.digest.text)
      // A file with holes is digested extent by extent: its digest is not that of its bytes.
      if sealed.algorithm == .sha256OfExtents { field("digestAlgorithm", "sha256OfExtents") }
    }
  }
}

extension Entry {
  var sealed: SealedContent? {
    switch content {
    case .none, .own: nil
    case .stored(_, let sealed), .extents(_, let sealed): sealed
    }
  }

  /// What was read, where that is known; else what the file system said.
  var contentSize: UInt64 { sealed?.size ?? attributes.size }
}

extension FileType {
  var title: String {
    switch self {
    case .regular: "file"
    case .directory: "directory"
    case .symbolicLink: "symbolicLink"
    case .fifo: "fifo"
    case .socket: "socket"
    case .characterDevice: "characterDevice"
    case .blockDevice: "blockDevice"
    }
  }

  fileprivate var letter: String {
    switch self {
    case .regular: "-"
    case .directory: "d"
    case .symbolicLink: "l"
    case .fifo: "p"
    case .socket: "s"
    case .characterDevice: "c"
    case .blockDevice: "b"
    }
  }
}

extension FileAttributes {
  /// `-rwsr-xr-t`, as ls shows it.
  fileprivate var modeText: String {
    func triple(_ shift: UInt32, _ special: UInt32, _ letter: String) -> String {
      let isExecutable = mode >> shift & 1 != 0
      let execute = mode & special != 0 ? (isExecutable ? letter : letter.uppercased()) : (isExecutable ? "x" : "-")
      return (mode >> shift & 4 != 0 ? "r" : "-") + (mode >> shift & 2 != 0 ? "w" : "-") + execute
    }
    return type.letter + triple(6, 0o4000, "s") + triple(3, 0o2000, "s") + triple(0, 0o1000, "t")
  }
}
