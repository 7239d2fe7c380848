import VaultModel
import VaultSystem

/// A name of a directory; a NUL follows its bytes. Valid until the list moves on.
struct ListedName {
  let bytes: UnsafeRawBufferPointer
  let type: DirectoryEntryType

  /// The name as a system call takes it.
  @inline(__always)
  var pointer: UnsafePointer<CChar>? { bytes.baseAddress?.assumingMemoryBound(to: CChar.self) }
}

/// The names of one directory, delivered in bytewise order and each once.
///
/// Names lie one behind the other in one arena; what exceeds the limit is sorted run by run into a temporary file and
/// merged while it is delivered. One list serves any number of directories, one after the other.
/// - Bounds: about twice `byteLimit` bytes of memory.
struct NameList: ~Copyable {
  private var names = ByteArena(capacity: 64 * 1024)
  private var references: [NameReference] = []
  private var cursor = 0
  private var runs: SortedRuns?
  /// The name delivered last, kept only while merging.
  private var last = ByteArena(capacity: 256)
  private var hasLast = false
  private let byteLimit: Int
  private let temporaryDirectory: ByteString

  init(byteLimit: Int, temporaryDirectory: ByteString) {
    // References count their offsets in 32 bits.
    self.byteLimit = min(max(byteLimit, 1024), 1 << 30)
    self.temporaryDirectory = temporaryDirectory
  }

  /// Empties the list for the next directory.
  mutating func removeAll() {
    names.truncate(to: 0)
    references.removeAll(keepingCapacity: true)
    cursor = 0
    runs = nil
    hasLast = false
  }

  /// Adds a name; at least eight bytes from its start can be read.
  ///
  /// - Throws: `.temporaryFile`; the name was then not added, all before it were.
  mutating func append(_ name: UnsafeRawBufferPointer, type: DirectoryEntryType) throws(FileSetError) {
    let size = name.count + 1 + MemoryLayout<NameReference>.stride
    if names.count + references.count * MemoryLayout<NameReference>.stride + size > byteLimit, !references.isEmpty {
      try spill()
    }
    references.append(NameReference(name, offset: UInt32(names.count), type: type.rawValue))
    names.append(name)
    names.append(0)
  }

  /// Puts what was added in order; `next()` delivers it.
  mutating func sort() throws(FileSetError) {
    sortReferences()
    try runs?.startReading()
  }

  /// The next name; nil after the last.
  @inline(__always)
  mutating func next() throws(FileSetError) -> ListedName? {
    if runs != nil { return try nextMerged() }
    while cursor < references.count {
      let reference = references[cursor]
      let isRepeated = cursor > 0 && NameReference.order(references[cursor - 1], reference, in: names.base) == 0
      cursor += 1
      // A file that is renamed while its directory is read may be listed twice.
      if !isRepeated { return listed(reference) }
    }
    return nil
  }

  private func listed(_ reference: NameReference) -> ListedName {
    let start = Int(reference.offset)
    return ListedName(
      bytes: names.bytes(start..<start + Int(reference.count)), type: DirectoryEntryType(rawValue: reference.type))
  }

  private mutating func sortReferences() {
    let base = UnsafeRawPointer(names.base)
    references.withUnsafeMutableBufferPointer { buffer in
      buffer.sort { NameReference.order($0, $1, in: base) < 0 }
    }
  }

  // MARK: More names than memory

  private mutating func spill() throws(FileSetError) {
    sortReferences()
    if runs == nil { runs = try SortedRuns(temporaryDirectory: temporaryDirectory, bufferBytes: byteLimit) }
    try runs?.beginRun()
    for index in references.indices {
      let name = listed(references[index])
      try runs?.append(name)
    }
    try runs?.endRun()
    names.truncate(to: 0)
    references.removeAll(keepingCapacity: true)
  }

  private mutating func nextMerged() throws(FileSetError) -> ListedName? {
    while true {
      let fromRuns = runs?.head
      let fromMemory = cursor < references.count ? listed(references[cursor]) : nil
      let takesMemory: Bool
      switch (fromRuns, fromMemory) {
      case (nil, nil): return nil
      case (nil, _): takesMemory = true
      case (_, nil): takesMemory = false
      case (let stored?, let held?): takesMemory = orderOfBytes(held.bytes, stored.bytes) <= 0
      }
      guard let name = takesMemory ? fromMemory : fromRuns else { return nil }
      let isRepeated = hasLast && orderOfBytes(name.bytes, last.bytes) == 0
      if !isRepeated {
        // Moving on may move the bytes: what is delivered is the copy.
        last.truncate(to: 0)
        last.append(name.bytes)
        last.reserve(1)
        last.terminate()
        hasLast = true
      }
      let type = name.type
      if takesMemory { cursor += 1 } else { try runs?.advance() }
      if !isRepeated { return ListedName(bytes: last.bytes, type: type) }
    }
  }
}
