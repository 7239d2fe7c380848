/// What takes the entries that attribute groups carry, in their order: a catalog's staging transaction.
package protocol AttributeSink: AnyObject {
  /// The sink's own number for a directory.
  func directory(_ key: DirectoryKey) throws -> Int64
  /// An entry; one with content `.own` is not complete until its seal.
  func entry(index: UInt64, directory: Int64, _ entry: Entry) throws
  func seal(index: UInt64, _ content: SealedContent) throws
  func deletion(directory: Int64, name: ByteString) throws
  func problem(directory: Int64, name: ByteString, phase: ProblemPhase, errorNumber: Int32) throws
  /// A part of the extended attributes that the entry with `index` carries lies in a group; groups come ascending.
  func extendedAttributes(index: UInt64, group: UInt64) throws
  /// What a number means in the entries that follow; an empty name says that it has none.
  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) throws
}
