import VaultModel

/// A row that an engine read: columns from 0.
///
/// Whatever lies in the database is input: a value of another kind than asked for is damage, never a trap.
protocol CatalogRow: ~Copyable {
  func isNull(_ column: Int32) -> Bool
  func integer(_ column: Int32) throws(CatalogError) -> Int64
  /// A column's bytes, valid until the next row.
  func bytes(_ column: Int32) throws(CatalogError) -> UnsafeRawBufferPointer
  /// - Throws: `.corrupt` for a negative number.
  func count(_ column: Int32) throws(CatalogError) -> UInt64
  /// - Throws: `.corrupt` for a number above 2^32 − 1.
  func smallCount(_ column: Int32) throws(CatalogError) -> UInt32
  /// - Throws: `.corrupt` for bytes that are not UTF-8.
  func text(_ column: Int32) throws(CatalogError) -> String
  /// - Throws: `.corrupt` for anything but 16 bytes.
  func identifier(_ column: Int32) throws(CatalogError) -> UniqueIdentifier
}

extension Statement: CatalogRow {}

/// What tells the session of a small number.
protocol SessionNames: AnyObject {
  /// The session with a number that some row refers to.
  func session(_ number: Int64) throws(CatalogError) -> UniqueIdentifier
}

extension CatalogConnection: SessionNames {}
