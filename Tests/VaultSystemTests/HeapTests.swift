import Glibc
import Testing
import VaultSystem

struct HeapTests {
  @Test func allocatorKnowsItsBounds() { #expect(Heap.limit()) }

  @Test func givesBackWhatLiesBetweenBlocksInUse() throws {
    let byteCount = 64 << 10
    // A test beside this one may give the same pages back first, but not every time.
    let gaveBack = try (0..<100).contains { _ in
      let blocks = try (0..<64).map { _ in
        let block = try #require(malloc(byteCount))
        memset(block, 1, byteCount)
        return block
      }
      for index in stride(from: 0, to: blocks.count, by: 2) { free(blocks[index]) }
      defer { for index in stride(from: 1, to: blocks.count, by: 2) { free(blocks[index]) } }
      return Heap.giveBack()
    }
    #expect(gaveBack)
  }
}
