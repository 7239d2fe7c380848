import SystemPackage
import VaultDevice
import VaultModel
import VaultSystem

/// Volume files by directory, and what a scan of them found.
struct ScannedFiles {
  /// A directory's volumes.
  struct Folder {
    var store: FileVolumeStore
    var names: [String]
  }

  let folders: [Folder]
  var report: ScanReport

  /// The volumes that the paths name: files, or all volumes of directories.
  static func find(_ paths: [ByteString]) throws -> [Folder] {
    var folders: [Folder] = []
    for path in paths {
      if let directory = try? VolumeDirectory(path: path) {
        let names: [String]
        do throws(Errno) { names = try directory.names() } catch {
          throw SystemError(error, call: "readdir", object: path.displayText)
        }
        folders.append(
          Folder(
            store: try FileVolumeStore(directory: path),
            names: names.filter { VolumeName.number($0) != nil }.sorted(by: VolumeName.isBefore)))
        continue
      }
      let cut = path.bytes.lastIndex(of: 0x2f)
      let directory = cut.map { ByteString(path.bytes[..<max(1, $0)]) } ?? "."
      guard let name = ByteString(path.bytes[(cut.map { $0 + 1 } ?? 0)...]).text else {
        throw SystemError(.illegalByteSequence, call: "open", object: path.displayText)
      }
      folders.append(Folder(store: try FileVolumeStore(directory: directory), names: [name]))
    }
    return folders
  }

  /// Reads all of them.
  static func scan(_ folders: [Folder]) throws -> ScannedFiles {
    let report = VolumeScan.run(folders.flatMap { folder in folder.names.map { ($0, folder.store) } })
    guard !report.volumes.isEmpty else { throw VolumeScanError.noVolumes }
    return ScannedFiles(folders: folders, report: report)
  }

  /// The one repository that all volumes belong to.
  ///
  /// - Parameter orNone: whether volumes are taken of which no label can be read.
  func repository(orNone: Bool = false) throws(VolumeScanError) -> UniqueIdentifier {
    // A label that could not be read says nothing.
    let all = Set(report.labels.map(\.record.repository).filter { $0 != .none })
    guard let first = all.first else {
      if orNone { return .none }
      throw .unknownRepository
    }
    guard all.count == 1 else { throw .severalRepositories }
    return first
  }

  /// Where a volume's file is.
  func store(of name: String) -> FileVolumeStore? { folders.first { $0.names.contains(name) }?.store }
}
