import Synchronization
import VaultModel

/// Which entries of this attempt carry which lists of extended attributes, so that each list is stored once: on a system with
/// security labels every file has one, and few differ.
final class CarriedLists: Sendable {
  /// Lists that are remembered: some megabytes of memory at most. Further ones are carried by each entry that has them.
  private static let limit = 65_536

  private let carriers = Mutex<[Digest256: UInt64]>([:])

  /// The entry that carries the list with a digest, for the entry with `index`, which carries it itself if that is its own index.
  ///
  /// An entry refers only to one before it, which is committed when it is.
  func carrier(of digest: Digest256, for index: UInt64) -> UInt64 {
    carriers.withLock { carriers in
      if let known = carriers[digest], known < index { return known }
      if carriers.count < Self.limit || carriers[digest] != nil { carriers[digest] = index }
      return index
    }
  }
}
