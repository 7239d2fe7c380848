import Testing
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// What walker, workers and sequencer hand to each other.
@Suite(.timeLimit(.minutes(1))) struct QueueTests {
  private func compression(_ slot: GroupSlot = GroupSlot()) throws -> CompressionJob {
    let buffer = try #require(BufferPool(bufferSize: 4096, limit: 1).take())
    let position = GroupEncoder.Position(
      kind: .data, flags: 0, session: session, attempt: 1, firstEntry: 1, firstOffset: 0)
    return CompressionJob(raw: buffer, recordCount: 1, position: position, slot: slot)
  }

  @Test func unitsComeInOrderAndCompressionFirst() throws {
    let queue = WorkQueue(unitLimit: 4, compressionLimit: 1)
    let units = [BackupUnit(), BackupUnit()]
    for unit in units { #expect(queue.push(unit)) }
    #expect(queue.offer(try compression()))
    #expect(!queue.offer(try compression()), "enough wait already")
    guard case .compress? = queue.next(), case .unit(let first)? = queue.next(), case .unit(let second)? = queue.next()
    else {
      Issue.record("the order is another")
      return
    }
    #expect(first === units[0] && second === units[1])
    #expect(queue.nextCompression { true } == nil)
  }

  /// A worker whose unit has to wait compresses for others meanwhile, and goes on when its own turn has come.
  @Test func whoWaitsForRoomCompressesMeanwhile() async throws {
    let queue = WorkQueue(unitLimit: 1, compressionLimit: 4)
    let unit = BackupUnit()
    for _ in 0..<BackupUnit.outputLimit { #expect(unit.outputs.push(GroupSlot())) }
    async let helped = elsewhere {
      var count = 0
      while queue.nextCompression(unless: { unit.outputs.isPushImmediate }) != nil { count += 1 }
      return count
    }
    let slots = [GroupSlot(), GroupSlot()]
    for slot in slots { #expect(queue.offer(try compression(slot))) }
    // A third is offered only once there is room for it: the two before are taken.
    for _ in 0..<4 {
      let slot = GroupSlot()
      while !queue.offer(try compression(slot)) { await Task.yield() }
    }
    #expect(unit.outputs.pop() != nil)
    queue.wake()
    let count = try await helped
    #expect(count >= 2 && count <= 6)
    // Neither does it wait when the job stops.
    #expect(unit.outputs.push(GroupSlot()))
    async let stopped = elsewhere { queue.nextCompression(unless: { unit.outputs.isPushImmediate }) == nil }
    queue.cancel()
    #expect(try await stopped)
  }

  @Test func noWorkIsLeftWhenTheLastUnitMayStillMakeSome() async throws {
    let queue = WorkQueue(unitLimit: 4, compressionLimit: 4)
    #expect(queue.push(BackupUnit()))
    queue.finish()
    guard case .unit? = queue.next() else {
      Issue.record("the unit is gone")
      return
    }
    // Another worker waits: the busy one offers a piece of a large file, then is done.
    async let other = elsewhere {
      var count = 0
      while queue.next() != nil { count += 1 }
      return count
    }
    #expect(queue.offer(try compression()))
    queue.finishedUnit()
    #expect(try await other == 1)
    #expect(queue.next() == nil)
  }

  @Test func aFullQueueWaitsForRoom() async throws {
    let queue = WorkQueue(unitLimit: 1, compressionLimit: 1)
    #expect(queue.push(BackupUnit()))
    async let pushed = elsewhere { queue.push(BackupUnit()) }
    #expect(queue.next() != nil)
    #expect(try await pushed)
  }

  @Test func cancellingWakesEverybodyAndFailsWhatWaits() async throws {
    let queue = WorkQueue(unitLimit: 1, compressionLimit: 2)
    let (slot, unit) = (GroupSlot(), BackupUnit())
    #expect(queue.offer(try compression(slot)))
    #expect(queue.push(unit))
    async let pushed = elsewhere { queue.push(BackupUnit()) }
    queue.cancel()
    #expect(try await !pushed)
    #expect(slot.take() == nil && unit.outputs.pop() == nil)
    #expect(queue.next() == nil && !queue.push(BackupUnit()))
    #expect(!queue.offer(try compression()))
  }

  @Test func aSlotIsFilledOnceAndTakenOnce() async throws {
    let slot = GroupSlot()
    async let taken = elsewhere { slot.take()?.header.recordCount }
    slot.fill(try slotGroup(3))
    slot.fail()
    #expect(try await taken == 3)
    #expect(slot.take() == nil)
  }

  @Test func aFailedSlotIsEmpty() async throws {
    let slot = GroupSlot()
    async let taken = elsewhere { slot.take() == nil }
    slot.fail()
    #expect(try await taken)
  }

  @Test func aCrewIsJoinedWhenAllHaveEnded() throws {
    let crew = WorkerCrew()
    let queue = BoundedQueue<Int>(capacity: 100)
    for number in 0..<5 { try crew.start(name: "crew") { _ = queue.push(number) } }
    crew.join()
    queue.finish()
    var found: Set<Int> = []
    while let number = queue.pop() { found.insert(number) }
    #expect(found == [0, 1, 2, 3, 4])
  }
}

/// Hard links: the first name is read, the others wait for what it turned out to be.
@Suite(.timeLimit(.minutes(1))) struct LinkMapTests {
  private static func isFirst(_ meeting: LinkMap.Meeting) -> Bool {
    if case .first = meeting { true } else { false }
  }

  private static func promise(_ meeting: LinkMap.Meeting) -> LinkPromise {
    switch meeting {
    case .first(let promise), .again(let promise): promise
    }
  }

  @Test func everyNameOfAnInodeHasOnePromise() throws {
    var links = LinkMap()
    let first = try links.meet(regular(5, inode: 7, links: 3))
    let second = try links.meet(regular(5, inode: 7, links: 3))
    let other = try links.meet(regular(5, inode: 8, links: 2))
    #expect(Self.isFirst(first) && !Self.isFirst(second) && Self.isFirst(other))
    #expect(Self.promise(first) === Self.promise(second) && Self.promise(first) !== Self.promise(other))
    var elsewhere = regular(5, inode: 7, links: 3)
    elsewhere.device = 2
    let another = try links.meet(elsewhere)
    #expect(Self.isFirst(another), "an inode is one of a device")
  }

  /// Few promises are kept, and little memory: the rest is remembered by its outcome.
  @Test(arguments: [0, 1 << 20]) func whatBecameOfAnInodeIsRemembered(_ memoryLimit: Int) throws {
    var links = LinkMap(memoryLimit: memoryLimit, recentLimit: 8)
    for inode in 1...5000 as ClosedRange<UInt64> {
      let meeting = try links.meet(regular(inode, inode: inode, links: 2))
      #expect(Self.isFirst(meeting))
      // Every tenth could not be read.
      let outcome: LinkPromise.Outcome =
        inode % 10 == 0 ? .failed : .sealed(Self.content(inode), regular(inode, inode: inode, links: 2))
      Self.promise(meeting).fulfil(outcome)
    }
    for inode in 1...4900 as ClosedRange<UInt64> {
      let meeting = try links.meet(regular(inode, inode: inode, links: 2))
      #expect(Self.isFirst(meeting) == (inode % 10 == 0), "inode \(inode)")
      if inode % 10 == 0 {
        Self.promise(meeting).fulfil(.failed)
        continue
      }
      guard case .sealed(let content, let first) = Self.promise(meeting).wait() else {
        Issue.record("the outcome of inode \(inode) is lost")
        continue
      }
      #expect(content == Self.content(inode) && first.size == inode)
      #expect(first.changed == regular(inode, inode: inode, links: 2).changed)
    }
  }

  /// Every seventh has holes.
  private static func content(_ inode: UInt64) -> ContentReference {
    guard inode % 7 == 0, case .stored(let identifier, var sealed) = stored(inode, size: inode) else {
      return stored(inode, size: inode)
    }
    sealed.algorithm = .sha256OfExtents
    return .stored(identifier, sealed)
  }

  /// Meets an unchanged name of inode 7, whose content the state has as that of entry `index`.
  private static func follow(_ links: inout LinkMap, index: UInt64) throws -> LinkPromise? {
    guard case .stored(let identifier, let sealed) = stored(index, size: 5) else { return nil }
    return try links.meet(regular(5, inode: 7, links: 3), identifier, sealed)
  }

  /// What another name turns out to have is not known yet: an unchanged one is told, and waits for it.
  @Test func anUnchangedNameFollowsOneThatIsRead() throws {
    var links = LinkMap()
    let first = Self.promise(try links.meet(regular(5, inode: 7, links: 3)))
    let open = try Self.follow(&links, index: 1)
    #expect(open === first)
    first.fulfil(.sealed(stored(1, size: 5), regular(5, inode: 7, links: 3)))
    let same = try Self.follow(&links, index: 1)
    #expect(same == nil, "it has the content already")
    let other = try Self.follow(&links, index: 2)
    #expect(other === first)
  }

  /// Names whose contents the state has differently all get the first one's, in memory and in a file.
  @Test(arguments: [0, 1 << 20]) func unchangedNamesGetOneContent(_ memoryLimit: Int) throws {
    var links = LinkMap(memoryLimit: memoryLimit)
    let first = try Self.follow(&links, index: 1)
    let same = try Self.follow(&links, index: 1)
    #expect(first == nil && same == nil)
    let other = try #require(try Self.follow(&links, index: 2))
    guard case .sealed(let content, let attributes) = other.wait() else {
      Issue.record("the content is known")
      return
    }
    #expect(content == stored(1, size: 5) && attributes.isSameFile(as: regular(5, inode: 7, links: 3)))
    #expect(attributes.changed == regular(5, inode: 7, links: 3).changed)
    let read = try links.meet(regular(5, inode: 7, links: 3))
    #expect(!Self.isFirst(read), "a name that is new has it, too")
  }

  @Test func aFailureIsNotForgottenAsAContent() throws {
    var links = LinkMap()
    Self.promise(try links.meet(regular(5, inode: 7, links: 3))).fulfil(.failed)
    let again = Self.promise(try links.meet(regular(5, inode: 7, links: 3)))
    guard case .failed = again.wait() else {
      Issue.record("a failure is an outcome")
      return
    }
  }

  @Test func whoWaitsHearsTheFirstOutcome() async throws {
    let promise = LinkPromise()
    async let outcome = elsewhere { promise.wait() }
    promise.fulfil(.sealed(stored(1, size: 5), regular(5)))
    promise.fulfil(.failed)
    guard case .sealed(let content, _) = try await outcome else {
      Issue.record("the first outcome counts")
      return
    }
    #expect(content == stored(1, size: 5))
    let failed = LinkPromise()
    failed.fulfil(.failed)
    guard case .failed = failed.wait() else {
      Issue.record("a failure is an outcome")
      return
    }
  }
}
