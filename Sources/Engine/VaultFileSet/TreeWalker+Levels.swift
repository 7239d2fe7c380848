import struct SystemPackage.Errno
import VaultModel
import VaultSystem

extension TreeWalker {
  /// Adds a level for the directory just visited, when it has subdirectories.
  mutating func enterLevel(
    _ shared: SharedDescriptor, _ status: FileAttributes, _ list: SubdirectoryStack.List
  ) throws(FileSetError) {
    try subdirectories.endList(list)
    if list.isEmpty { return subdirectories.removeList(list) }
    levels.append(
      WalkLevel(
        descriptor: shared, identity: FileIdentity(status), keyLength: key.count, device: status.device,
        subdirectories: list))
    let surplus = levels.count - 1 - levelLimit
    if surplus >= 0 { levels[surplus].descriptor = nil }
  }

  /// Gives up the descriptors of all levels but the last, and from now on holds fewer.
  ///
  /// - Returns: false when there were none to give up.
  mutating func closeUpperLevels() -> Bool {
    var count = 0
    for index in levels.indices.dropLast() where levels[index].descriptor != nil {
      levels[index].descriptor = nil
      count += 1
    }
    levelLimit = max(1, min(levelLimit, count / 2))
    return count > 0
  }

  /// The last level's directory, opened again when its descriptor was given up; nil when that fails.
  mutating func reopenedDescriptor() -> SharedDescriptor? {
    let last = levels.count - 1
    if let descriptor = levels[last].descriptor { return descriptor }
    if levels[last].failure != nil { return nil }
    // Opens a whole window of levels, so that climbing a deep tree does not begin at the root each time.
    let base = max(0, levels.count - levelLimit)
    do throws(Errno) {
      for index in base...last where levels[index].descriptor == nil {
        levels[index].descriptor = SharedDescriptor(try reopen(index))
      }
    } catch {
      levels[last].failure = error
    }
    return levels[last].descriptor
  }

  private mutating func reopen(_ index: Int) throws(Errno) -> Descriptor {
    let above = index > 0 ? levels[index - 1] : nil
    var start = 0
    var current: SharedDescriptor
    if let above, let descriptor = above.descriptor {
      current = descriptor
      start = above.keyLength
    } else {
      current = SharedDescriptor(try openPatiently(Descriptor.workingDirectory, "/", [.pathOnly, .directory]))
    }
    let end = levels[index].keyLength
    while start < end {
      let (path, next) = pathStep(from: start, to: end)
      current = SharedDescriptor(try openStep(current.number, path))
      start = next
    }
    let opened = try openPatiently(current.number, ".", [.pathOnly, .directory])
    guard FileIdentity(try FileStatus.read(of: opened.rawValue)) == levels[index].identity else {
      throw .staleNFSFileHandle
    }
    return opened
  }

  /// As many components of the key from `start` as one call takes, joined with slashes, and where they end.
  private func pathStep(from start: Int, to end: Int) -> (path: ByteString, next: Int) {
    let bytes = key.bytes(start..<end)
    var count = bytes.count
    if count > 4000 { count = bytes[..<4000].lastIndex(of: 0) ?? count }
    return (ByteString(bytes[1..<count].map { $0 == 0 ? 0x2f : $0 }), start + count)
  }

  private func openStep(_ directory: Int32, _ path: ByteString) throws(Errno) -> Descriptor {
    let flags: OpenFlags = [.pathOnly, .directory, .noFollow]
    do throws(Errno) { return try Descriptor.openBeneath(directory, path, flags) } catch {
      guard error == .noFunction || error == .notPermitted else { throw error }
    }
    // An older kernel, or a filter that does not know the call: name by name.
    var current: SharedDescriptor?
    for name in path.bytes.split(separator: 0x2f) {
      do throws(SystemError) {
        current = SharedDescriptor(try Descriptor.open(at: current?.number ?? directory, ByteString(name), flags))
      } catch { throw error.errno }
    }
    guard let current else { throw .noSuchFileOrDirectory }
    do throws(SystemError) {
      return try Descriptor.open(at: current.number, ".", flags)
    } catch { throw error.errno }
  }
}
