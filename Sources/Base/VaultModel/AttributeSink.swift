/// What takes the entries that attribute groups carry, in their order: a catalog's staging transaction.
package protocol AttributeSink: AnyObject {
  /// The sink's own number for a directory.
  func directory(_ key: DirectoryKey) throws -> Int64
  /// An entry; one with content `.own` is not complete until its seal.
  func entry(index: UInt64, directory: Int64, _ entry: Entry) throws
  func seal(index: UInt64, _ content: SealedContent) throws
  func deletion(directory: Int64, name: ByteString) throws
  func problem(directory: Int64, name: ByteString, phase: ProblemPhase, errorNumber: Int32) throws
}
