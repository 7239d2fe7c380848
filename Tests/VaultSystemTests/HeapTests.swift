import Glibc
import Testing
import VaultSystem

struct HeapTests {
  @Test func allocatorKnowsItsBounds() { #expect(Heap.limit()) }

  @Test func givesBackWhatLiesBetweenBlocksInUse() throws {
    let (byteCount, pageSize) = (64 << 10, sysconf(Int32(_SC_PAGESIZE)))
    let blocks = try (0..<64).map { _ in
      let block = try #require(malloc(byteCount))
      memset(block, 1, byteCount)
      return block
    }
    defer { for index in stride(from: 1, to: blocks.count, by: 2) { free(blocks[index]) } }
    for index in stride(from: 0, to: blocks.count, by: 2) { free(blocks[index]) }
    Heap.giveBack()
    // Pages that lie in one of the free blocks alone.
    var resident: [UInt8] = []
    for index in stride(from: 0, to: blocks.count, by: 2) {
      let start = (UInt(bitPattern: blocks[index]) + UInt(pageSize) - 1) / UInt(pageSize) * UInt(pageSize)
      var found = [UInt8](repeating: 1, count: byteCount / pageSize - 1)
      #expect(mincore(UnsafeMutableRawPointer(bitPattern: start), found.count * pageSize, &found) == 0)
      resident += found
    }
    // A test beside this one may have some of them by now.
    #expect(resident.count { $0 & 1 == 0 } > resident.count / 2)
  }
}
