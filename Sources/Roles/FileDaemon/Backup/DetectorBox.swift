import VaultFileSet
import VaultModel

/// Holds the change detector, which must not be copied, for the visitor, which is.
final class DetectorBox {
  private var detector: ChangeDetector<StateStream>

  init(_ detector: consuming ChangeDetector<StateStream>) { self.detector = detector }

  func enter(_ directory: WalkDirectory, _ deletions: inout some DeletionVisitor) throws {
    try detector.enter(directory, &deletions)
  }

  func notEntered(_ directory: DirectoryKey, _ deletions: inout some DeletionVisitor) throws {
    try detector.notEntered(directory, &deletions)
  }

  func verdict(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, _ deletions: inout some DeletionVisitor
  ) throws -> ChangeVerdict {
    try detector.verdict(name: name, attributes: attributes, &deletions)
  }

  func keep(name: UnsafeRawBufferPointer, _ deletions: inout some DeletionVisitor) throws {
    try detector.keep(name: name, &deletions)
  }

  func finish(_ deletions: inout some DeletionVisitor) throws { try detector.finish(&deletions) }
}
