import Testing
import VaultFileSet
import VaultModel

/// A restore into a directory of the test's own.
struct RestoreFixture {
  let tree: TemporaryTree

  init() throws { tree = try TemporaryTree() }

  static let old = FileTime(seconds: 1_500_000_000, nanoseconds: 123_456_789)

  static func attributes(
    _ type: FileType = .regular, mode: UInt32 = 0o640, modified: FileTime = old, owner: UInt32? = nil
  ) -> FileAttributes {
    FileAttributes(
      type: type, mode: mode, owner: owner ?? currentUser, group: owner ?? currentGroup, modified: modified,
      accessed: FileTime(seconds: 1_400_000_000, nanoseconds: 1))
  }

  /// - Parameter isUnnamed: whether files have no name until they are whole, where the tree is empty and the system can do so,
  ///   or a temporary one as elsewhere.
  func writer(
    _ policy: OverwritePolicy = .always, directoryLimit: Int = 64, isUnnamed: Bool = true
  ) throws -> RestoreWriter {
    RestoreWriter(
      target: try RestoreTarget(path: tree.path, policy: policy, triesUnnamedFiles: isUnnamed), randomSeed: 1,
      directoryLimit: directoryLimit)
  }

  /// All names left over from restoring, anywhere.
  func temporaryNames() throws -> [ByteString] {
    try tree.walk().paths.filter { path in
      DirectoryKey(path: path).parentAndName.map { $0.name.bytes.starts(with: ".vault-restore-".utf8) } ?? false
    }
  }
}

extension RestoreWriter {
  /// Restores a file in one go; nil when something was kept.
  mutating func file(
    _ directory: ByteString, _ name: ByteString, _ text: String = "restored",
    _ attributes: FileAttributes = RestoreFixture.attributes()
  ) throws -> RestoreOutcome {
    guard let file = try writeFile(directory: directory, name: name, attributes: attributes, hasExtended: false)
    else { return .exists }
    var text = text
    try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0), at: 0) }
    return try file.commit(attributes: attributes)
  }

  /// Begins a file whose name must be free.
  mutating func begin(
    _ directory: ByteString, _ name: ByteString, _ attributes: FileAttributes
  ) throws -> RestoringFile {
    guard let file = try writeFile(directory: directory, name: name, attributes: attributes, hasExtended: false) else {
      throw FileSetError(.createFile, name, .fileExists)
    }
    return file
  }
}
