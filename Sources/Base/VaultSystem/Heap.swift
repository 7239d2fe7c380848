import CLinux

/// What the C library's allocator keeps of the memory that this process no longer uses.
///
/// Left alone it keeps an arena for each thread that ever allocated, up to eight for each processor, and at the end of each as much free
/// memory as twice the largest block that was ever mapped and freed. So a daemon grows with every job by what the job's threads
/// had held, though next to nothing of it is in use.
package enum Heap {
  /// Arenas: threads beyond that share them, and allocate little in their loops.
  static let arenaLimit: Int32 = 4
  /// How many free bytes an arena may keep at its end, and how long a block is that is mapped by itself.
  static let keptByteCount: Int32 = 1 << 20

  /// Bounds what is kept; to be called before the first thread begins. The corresponding C function is `mallopt`.
  ///
  /// - Returns: whether the allocator knows all of these bounds; it does without those that it does not know.
  @discardableResult
  package static func limit() -> Bool {
    let bounds = [(M_ARENA_MAX, arenaLimit), (M_MMAP_THRESHOLD, keptByteCount), (M_TRIM_THRESHOLD, keptByteCount)]
    return bounds.map { mallopt($0, $1) == 1 }.allSatisfy { $0 }
  }

  /// Gives free pages back to the system, wherever in the heap they lie: milliseconds, for the end of a job. The corresponding C
  /// function is `malloc_trim`.
  package static func giveBack() { malloc_trim(0) }
}
