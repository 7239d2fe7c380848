import VaultModel

/// What a walked entry is, compared with what is known of its name.
package enum ChangeVerdict {
  /// Nothing known of the name.
  case new
  /// Nothing to store. `linked` is the known content of a regular file with several names, which are all to refer to one.
  case unchanged(linked: ContentReference?)
  /// A regular file that was perhaps only renamed over, chmodded, chowned or linked: it is read and digested, and when the
  /// digest is the known content's, the new entry refers to that content.
  ///
  /// Its attributes may all be as they were, when only the known content cannot be trusted (`onlyDoubted`).
  case attributesChanged(known: ContentReference, onlyDoubted: Bool)
  /// Everything is stored again.
  case changed(Change)

  /// What gave a change away.
  package enum Change: Sendable {
    case size
    /// The modification time, the inode or the type.
    case date
    /// Nothing about its content, if it has any of its own.
    case attributes
  }
}

extension ChangeVerdict {
  /// Compares a walked entry with a state row of the same name.
  ///
  /// Device numbers are not compared: they may differ after a reboot. What is doubted, or whose row is, is told again.
  @inline(__always)
  static func comparing(
    _ now: FileAttributes, with row: StateEntry, isDoubted: Bool = false, content: () -> ContentReference
  ) -> ChangeVerdict {
    let then = row.attributes
    let isDoubted = isDoubted || row.mustBeReadAgain
    guard now.type == then.type else { return .changed(now.size != then.size ? .size : .date) }
    let isSameInPlace =
      now.mode == then.mode && now.owner == then.owner && now.group == then.group && now.modified == then.modified
      && now.changed == then.changed
    if now.type == .directory {
      return isSameInPlace && !isDoubted ? .unchanged(linked: nil) : .changed(.attributes)
    }
    let isSameFile = now.inode == then.inode && now.size == then.size && now.modified == then.modified
    let isSame =
      isSameInPlace && isSameFile && now.linkCount == then.linkCount && now.specialDevice == then.specialDevice
    if isSame, !isDoubted {
      let isLinked = now.type == .regular && now.isHardLinked
      return .unchanged(linked: isLinked ? content() : nil)
    }
    guard isSameFile else { return .changed(now.size != then.size ? .size : .date) }
    guard now.type == .regular else { return .changed(.attributes) }
    switch content() {
    case .none, .own: return .changed(.date)
    case let known: return .attributesChanged(known: known, onlyDoubted: isSame)
    }
  }
}
