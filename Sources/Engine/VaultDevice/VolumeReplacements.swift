import VaultModel
import VaultProtocol

/// A volume file that does not count: another one takes its place, or it was to take another's and is not complete.
package struct LeftOutVolume: Hashable, Sendable {
  package enum Reason: Hashable, Sendable {
    /// The volume of that name holds all that is needed of it.
    case replaced(by: String)
    /// The volume of that name is still the one that counts.
    case incomplete(replacementOf: String)
  }

  package var identifier: UniqueIdentifier
  package var name: String
  package var reason: Reason
}

extension LeftOutVolume: CustomStringConvertible {
  package var description: String {
    switch reason {
    case .replaced(let other): "Volume \(name) is left out: volume \(other) has taken its place."
    case .incomplete(let other):
      "Volume \(name) is left out: it was to take the place of volume \(other), and is not complete."
    }
  }
}

/// Which of several volume files take others' places, as their labels say.
struct VolumeReplacements {
  private struct Labelled {
    var index: Int
    var name: String
    var label: VolumeLabel
    var file: any VolumeFile
  }

  /// The files that do not count, by their place in the list.
  private(set) var leftOut: [Int: LeftOutVolume] = [:]

  /// Reads the labels of files, and more only of those that are named as replacements of others in the list.
  init(_ files: [(name: String, store: any VolumeStore)]) {
    var labelled: [UniqueIdentifier: Labelled] = [:]
    for (index, file) in files.enumerated() {
      // What cannot be read is told by whoever reads it.
      guard let open = try? file.store.open(file.name, forAppending: false),
        let label = try? VolumeLabel.read(open, name: file.name), labelled[label.identifier] == nil
      else { continue }
      labelled[label.identifier] = Labelled(index: index, name: file.name, label: label, file: open)
    }
    for new in labelled.values {
      guard let replaced = new.label.record.replaced, replaced != new.label.identifier, let old = labelled[replaced],
        old.label.record.repository == new.label.record.repository
      else { continue }
      if Self.isComplete(new.file, new.label, name: new.name) {
        leftOut[old.index] = LeftOutVolume(
          identifier: replaced, name: old.name, reason: .replaced(by: new.name))
      } else {
        leftOut[new.index] = LeftOutVolume(
          identifier: new.label.identifier, name: new.name, reason: .incomplete(replacementOf: old.name))
      }
    }
  }

  /// Whether a replacement block says that everything before it is there.
  static func isComplete(_ file: any VolumeFile, _ label: VolumeLabel, name: String) -> Bool {
    guard let size = try? file.size() else { return false }
    var walk = BlockHeaderWalk(file: file, volume: label.identifier, name: name, to: size)
    while let (header, offset) = try? walk.next() {
      guard header.kind == .replacement else { continue }
      // The scanner verifies what the walk only believed.
      var scanner = VolumeScanner(
        file: file, label: label, name: name, from: offset, to: offset + UInt64(header.paddedByteCount))
      guard case .block? = try? scanner.next() else { continue }
      var records = RecordReader(scanner.payload)
      if case .replacement(label.record.replaced)? = try? records.next() { return true }
    }
    return false
  }
}
