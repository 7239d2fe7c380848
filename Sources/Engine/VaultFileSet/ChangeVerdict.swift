import VaultModel

/// What a walked entry is, compared with what is known of its name.
package enum ChangeVerdict {
  /// Nothing known of the name.
  case new
  /// Nothing to store.
  case unchanged
  /// A regular file that was perhaps only renamed over, chmodded, chowned or linked: it is read and digested, and when the
  /// digest is the known content's, the new entry refers to that content.
  case attributesChanged(known: ContentReference)
  /// Everything is stored again.
  case changed
}

extension ChangeVerdict {
  /// Compares a walked entry with a state row of the same name.
  ///
  /// Device numbers are not compared: they may differ after a reboot.
  @inline(__always)
  static func comparing(
    _ now: FileAttributes, with row: StateEntry, content: () -> ContentReference
  ) -> ChangeVerdict {
    let then = row.attributes
    guard now.type == then.type else { return .changed }
    let isSameInPlace =
      now.mode == then.mode && now.owner == then.owner && now.group == then.group && now.modified == then.modified
      && now.changed == then.changed
    if now.type == .directory { return isSameInPlace && !row.mustBeReadAgain ? .unchanged : .changed }
    let isSameFile = now.inode == then.inode && now.size == then.size && now.modified == then.modified
    if isSameInPlace, isSameFile, now.linkCount == then.linkCount, now.specialDevice == then.specialDevice,
      !row.mustBeReadAgain
    {
      return .unchanged
    }
    guard now.type == .regular, isSameFile else { return .changed }
    switch content() {
    case .none, .own: return .changed
    case let known: return .attributesChanged(known: known)
    }
  }
}
