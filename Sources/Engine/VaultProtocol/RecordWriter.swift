import VaultModel

/// Appends records to a buffer that becomes a group's raw bytes.
///
/// It allocates only when its buffer grows.
package struct RecordWriter: ~Copyable {
  package private(set) var recordCount: UInt32 = 0
  private var writer: ByteWriter

  package init(capacity: Int = 64 * 1024) { writer = ByteWriter(capacity: capacity) }

  /// The records' bytes, lent until the next change.
  package var bytes: UnsafeRawBufferPointer { writer.bytes }
  package var count: Int { writer.count }
  package var isEmpty: Bool { recordCount == 0 }

  package mutating func removeAll() {
    writer.removeAll()
    recordCount = 0
  }

  package mutating func directory(number: UInt64, path: ByteString) {
    header(.directory, 8 + path.count)
    writer.integer(number)
    writer.append(path)
  }

  package mutating func entry(index: UInt64, directory: UInt64, _ entry: Entry) {
    entry.name.bytes.withUnsafeBytes { name in
      entry.linkTarget.bytes.withUnsafeBytes { target in
        self.entry(
          index: index, directory: directory, name: name, entry.attributes, entry.content, linkTarget: target,
          extended: entry.extended)
      }
    }
  }

  /// An entry from its parts, without an `Entry` value: the hot path's form.
  package mutating func entry(
    index: UInt64, directory: UInt64, name: UnsafeRawBufferPointer, _ attributes: FileAttributes,
    _ content: ContentReference, linkTarget: UnsafeRawBufferPointer, extended: ExtendedReference? = nil
  ) {
    let start = writer.count
    header(.entry, 0)
    writer.integer(index)
    writer.integer(directory)
    writer.integer(attributes.type.rawValue)
    writer.integer(content.form.rawValue)
    writer.integer(UInt16(truncatingIfNeeded: name.count))
    fixedAttributes(attributes)
    writer.append(name)
    reference(content)
    if linkTarget.count > 0 {
      writer.integer(EntryCodec.Tag.linkTarget)
      writer.integer(EntryCodec.Tag.criticalFlag)
      writer.integer(UInt32(truncatingIfNeeded: linkTarget.count))
      writer.append(linkTarget)
    }
    if let extended { tag(extended) }
    writer.patch(UInt32(truncatingIfNeeded: writer.count - start - RecordHeader.byteCount), at: start + 4)
  }

  package mutating func contentData(index: UInt64, offset: UInt64, _ bytes: UnsafeRawBufferPointer) {
    header(.contentData, 16 + bytes.count)
    writer.integer(index)
    writer.integer(offset)
    writer.append(bytes)
  }

  package mutating func seal(index: UInt64, _ content: SealedContent) {
    header(.seal, 56)
    writer.integer(index)
    sealed(content)
  }

  package mutating func deletion(directory: UInt64, name: ByteString) {
    header(.deletion, 8 + name.count)
    writer.integer(directory)
    writer.append(name)
  }

  package mutating func problem(directory: UInt64, name: ByteString, phase: ProblemPhase, errorNumber: Int32) {
    header(.problem, 16 + name.count)
    writer.integer(directory)
    writer.integer(errorNumber)
    writer.integer(phase.rawValue)
    writer.zeros(3)
    writer.append(name)
  }

  /// A part of the list that the entry with `index` carries.
  package mutating func extendedAttributes(
    index: UInt64, offset: UInt32, total: UInt32, _ bytes: UnsafeRawBufferPointer
  ) {
    header(.extendedAttributes, 16 + bytes.count)
    writer.integer(index)
    writer.integer(offset)
    writer.integer(total)
    writer.append(bytes)
  }

  package mutating func ownerName(_ kind: OwnerKind, number: UInt32, name: ByteString) {
    header(.ownerName, 8 + name.count)
    writer.integer(number)
    writer.integer(kind.rawValue)
    writer.zeros(3)
    writer.append(name)
  }

  package mutating func job(_ description: JobDescription) {
    framed(.job) { JobCodec.write(description, to: &$0) }
  }

  package mutating func jobEnd(_ outcome: JobOutcome) {
    framed(.jobEnd) { JobCodec.write(outcome, to: &$0) }
  }

  package mutating func commit(_ commit: CommitRecord) {
    framed(.commit) { JobCodec.write(commit, to: &$0) }
  }

  package mutating func label(_ label: LabelRecord) {
    framed(.label) { JobCodec.write(label, to: &$0) }
  }

  package mutating func retention(_ record: RetentionRecord) {
    framed(.retention) { JobCodec.write(record, to: &$0) }
  }

  package mutating func replacement(of volume: UniqueIdentifier) {
    framed(.replacement) { $0.identifier(volume) }
  }

  private mutating func framed(_ kind: RecordKind, _ body: (inout ByteWriter) -> Void) {
    let start = writer.count
    header(kind, 0)
    body(&writer)
    writer.patch(UInt32(truncatingIfNeeded: writer.count - start - RecordHeader.byteCount), at: start + 4)
  }

  @inline(__always)
  private mutating func header(_ kind: RecordKind, _ length: Int) {
    recordCount += 1
    writer.integer(kind.rawValue)
    writer.integer(kind.isCritical ? RecordHeader.criticalFlag : 0)
    writer.integer(UInt32(truncatingIfNeeded: length))
  }

  @inline(__always)
  private mutating func fixedAttributes(_ attributes: FileAttributes) {
    writer.integer(attributes.mode)
    writer.integer(attributes.owner)
    writer.integer(attributes.group)
    writer.integer(attributes.inode)
    writer.integer(attributes.device)
    writer.integer(attributes.linkCount)
    writer.integer(attributes.modified.nanoseconds)
    writer.integer(attributes.modified.seconds)
    writer.integer(attributes.changed.seconds)
    writer.integer(attributes.changed.nanoseconds)
    writer.integer(attributes.accessed.nanoseconds)
    writer.integer(attributes.accessed.seconds)
    writer.integer(attributes.size)
    writer.integer(attributes.specialDevice)
    writer.integer(0 as UInt32)
    writer.integer(attributes.inodeFlags.rawValue)
  }

  private mutating func reference(_ content: ContentReference) {
    switch content {
    case .none, .own: return
    case .stored(let identifier, let sealed):
      writer.identifier(identifier.session)
      writer.integer(identifier.index)
      self.sealed(sealed)
    case .extents(let extents, let sealed):
      writer.integer(sealed.size)
      writer.integer(sealed.algorithm.rawValue)
      writer.integer(sealed.flags.rawValue)
      writer.zeros(2)
      writer.integer(UInt32(truncatingIfNeeded: extents.count))
      writer.digest(sealed.digest)
      for extent in extents {
        writer.identifier(extent.session)
        writer.integer(extent.group)
        writer.integer(extent.rawOffset)
        writer.integer(extent.length)
        writer.integer(extent.fileOffset)
      }
    }
  }

  private mutating func tag(_ extended: ExtendedReference) {
    writer.integer(EntryCodec.Tag.extendedAttributes)
    writer.integer(EntryCodec.Tag.criticalFlag)
    writer.integer(EntryCodec.extendedReferenceByteCount)
    writer.identifier(extended.carrier.session)
    writer.integer(extended.carrier.index)
    writer.integer(extended.byteCount)
    writer.integer(0 as UInt32)
    writer.digest(extended.digest)
  }

  private mutating func sealed(_ content: SealedContent) {
    writer.integer(content.size)
    writer.integer(content.algorithm.rawValue)
    writer.integer(content.flags.rawValue)
    writer.zeros(6)
    writer.digest(content.digest)
  }
}

extension ContentReference {
  var form: EntryCodec.ContentForm {
    switch self {
    case .none: .none
    case .own: .own
    case .stored: .stored
    case .extents: .extents
    }
  }
}
