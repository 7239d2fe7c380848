import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

extension RestoreWriter {
  /// Makes a directory, readable by its owner only until `finishDirectory`; one that is there is used as it is.
  ///
  /// - Parameter replacing: whether the policy applies at all: not for a directory that only leads to what is restored.
  package mutating func createDirectory(
    _ path: ByteString, attributes: FileAttributes, replacing: Bool = true
  ) throws(FileSetError) -> DirectoryOutcome {
    guard let (parent, name) = Self.split(path) else {
      if path.bytes == [0x2f] { return .used(isReplaced: false) }
      throw FileSetError(.unsafeName, path)
    }
    let place = try place(parent, name)
    do throws(Errno) {
      guard let existing = try make(place) else { return .made }
      let isReplaced = replacing && target.policy.replaces(existing, with: attributes.modified)
      if existing.type == .directory {
        // Its mode is set again at the end.
        if isReplaced { admitOwner(place, existing) }
        noteInheritance(place)
        target.noteFileSystem(of: existing, place)
        return .used(isReplaced: isReplaced)
      }
      guard isReplaced else { return .kept }
      try DirectoryNames.remove(at: place.directory.number, name)
      return try make(place) == nil ? .made : .kept
    } catch { throw FileSetError(.createDirectory, place.shown, error) }
  }

  /// What has the name already, or nil when the directory was made.
  private func make(_ place: RestorePlace) throws(Errno) -> FileAttributes? {
    do throws(Errno) {
      try DirectoryNames.makeDirectory(at: place.directory.number, place.name, mode: 0o700)
      if target.inheritsLists { InheritedLists.remove(at: place.directory.number, place.name) }
      return nil
    } catch {
      guard error == .fileExists else { throw error }
      return try FileStatus.read(at: place.directory.number, name: place.name)
    }
  }

  private func noteInheritance(_ place: RestorePlace) {
    if target.inheritsLists { return }
    let areGiven = place.name.bytes.withUnsafeBytes { name in
      AttributedObject.withName(at: place.directory.number, name) { InheritedLists.areGiven(by: $0) }
    }
    if areGiven { target.noteInheritance() }
  }

  /// Lets an ordinary user write into a directory of his that he made read-only; `finishDirectory` sets the mode again.
  private func admitOwner(_ place: RestorePlace, _ existing: FileAttributes) {
    guard existing.mode & 0o700 != 0o700,
      !NamedFile.mayWriteInto(at: place.directory.number, place.name)
    else { return }
    do throws(Errno) {
      try NamedFile.setMode(at: place.directory.number, place.name, existing.mode | 0o700)
    } catch { return }  // Not ours: what is written into it will tell.
  }

  /// Sets all attributes of a directory, after everything in it was restored; directories may come in any order.
  ///
  /// - Returns: what was refused.
  /// - Throws: `.finishDirectory` when it is not there or no directory any more.
  package mutating func finishDirectory(
    _ path: ByteString, attributes: FileAttributes,
    extended: ByteString = ""
  ) throws(FileSetError) -> UnsetAttributes {
    guard let (parent, name) = Self.split(path) else {
      if path.bytes == [0x2f] { return [] }
      throw FileSetError(.unsafeName, path)
    }
    do throws(FileSetError) {
      return try finish(try place(parent, name), attributes, extended)
    } catch {
      guard error.errno == .permissionDenied else { throw error }
    }
    // A parent that was finished before does not let its owner through: it does for a moment.
    var opened: [(place: RestorePlace, mode: UInt32)] = []
    defer {
      for (place, mode) in opened.reversed() {
        do throws(Errno) { try NamedFile.setMode(at: place.directory.number, place.name, mode) } catch { continue }
      }
    }
    for (index, byte) in path.bytes.enumerated() where byte == 0x2f && index > 0 {
      guard let (above, component) = Self.split(ByteString(path.bytes[..<index])) else { continue }
      let ancestor = try place(above, component)
      guard let status = try ancestor.existing(), status.type == .directory, status.mode & 0o100 == 0 else { continue }
      try FileSetError.wrapping(.finishDirectory, ancestor.shown) { () throws(Errno) in
        try NamedFile.setMode(at: ancestor.directory.number, component, status.mode | 0o100)
      }
      opened.append((ancestor, status.mode))
    }
    return try finish(try place(parent, name), attributes, extended)
  }

  private func finish(
    _ place: RestorePlace, _ attributes: FileAttributes, _ extended: ByteString
  ) throws(FileSetError) -> UnsetAttributes {
    do throws(SystemError) {
      let flags: OpenFlags = [.readOnly, .directory, .noFollow, .nonBlocking]
      let descriptor = try Descriptor.open(at: place.directory.number, place.name, flags)
      var unset = AttributeSetting.apply(attributes, extended: extended, to: descriptor.rawValue)
      AttributeSetting.add(attributes.inodeFlags, to: descriptor.rawValue, &unset)
      return unset
    } catch {
      guard error.errno == .permissionDenied, let existing = try place.existing(), existing.type == .directory else {
        throw FileSetError(.finishDirectory, place.shown, error.errno)
      }
      var unset = AttributeSetting.apply(attributes, extended: extended, at: place.directory.number, place.name)
      if !attributes.inodeFlags.isEmpty { unset.insert(.inodeFlags, error.errno) }
      return unset
    }
  }

  /// A path's directory and last name; nil for the root and for what is no absolute path.
  private static func split(_ path: ByteString) -> (parent: ByteString, name: ByteString)? {
    guard path.count > 1, path.bytes[0] == 0x2f, let cut = path.bytes.lastIndex(of: 0x2f) else { return nil }
    return (ByteString(path.bytes[..<max(1, cut)]), ByteString(path.bytes[(cut + 1)...]))
  }
}
