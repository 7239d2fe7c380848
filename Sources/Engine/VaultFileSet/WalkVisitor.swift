import VaultModel

/// Who is told what a walk meets, in canonical order. Whatever it throws ends the walk.
package protocol WalkVisitor: ~Copyable {
  /// A directory's entries follow. Its names are all known by now: `directory.isComplete` is final.
  mutating func enter(_ directory: WalkDirectory) throws

  /// A name in the directory entered last. A NUL follows the name's bytes, so they can be given to `FileReader`.
  ///
  /// - Bounds: `name` and `linkTarget` are lent for the call; a target is 1 to 4095 bytes for symbolic links, else empty. A regular
  ///   file may have holes when its blocks take less than its size.
  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory) throws

  /// Something could not be seen: a name in the directory entered last (`.examine`, `.missing`; in order with its
  /// entries), or a subdirectory's names (`.list`; between directories, named in its parent, with an empty name for the root).
  ///
  /// - Bounds: `name` is at most 255 bytes: longer ones are cut.
  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey) throws

  /// All entries of the directory were delivered.
  mutating func leave(_ directory: WalkDirectory) throws

  /// In a directory's place in the order: it exists, or may exist, but its contents are not seen (another file
  /// system, unreadable, missing). What is known below it stays.
  mutating func notEntered(_ directory: DirectoryKey) throws
}
