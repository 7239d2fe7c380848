import SystemPackage
import VaultDevice

/// The volume files of several directories as one store that nothing can be written to.
final class CombinedVolumeStore: VolumeStore {
  private let folders: [ScannedFiles.Folder]

  init(_ folders: [ScannedFiles.Folder]) { self.folders = folders }

  func names() throws(StoreError) -> [String] { folders.flatMap(\.names) }

  func create(_ name: String) throws(StoreError) -> any VolumeFile { throw StoreError("open", .readOnlyFileSystem) }

  func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    guard !forAppending else { throw StoreError("open", .readOnlyFileSystem) }
    guard let folder = folders.first(where: { $0.names.contains(name) }) else {
      throw StoreError("open", .noSuchFileOrDirectory)
    }
    return try folder.store.open(name, forAppending: false)
  }

  func remove(_ name: String) throws(StoreError) { throw StoreError("unlink", .readOnlyFileSystem) }
}
