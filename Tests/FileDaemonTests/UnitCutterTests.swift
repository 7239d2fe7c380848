import Testing
import VaultModel
import VaultProtocol

@testable import FileDaemon

/// Consecutive names become units of about one group.
@Suite(.timeLimit(.minutes(1))) struct UnitCutterTests {
  private static func name(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try Array(text.utf8).withUnsafeBytes(body)
  }

  /// The sizes of the units that regular files of these sizes make, a number of names each.
  private static func units(_ sizes: [UInt64], action: UnitAction = .store, directoryOfEach: Bool = false) throws
    -> [BackupUnit]
  {
    // Many workers make room for many units: nobody takes them here.
    let context = context(workerCount: 64)
    var cutter = UnitCutter(context: context, firstIndex: 10)
    cutter.enter(nil, path: "/d")
    for (number, size) in sizes.enumerated() {
      if directoryOfEach { cutter.enter(nil, path: ByteString("/d/\(number)")) }
      try name("file\(number)") {
        try cutter.add(
          action, name: $0, target: UnsafeRawBufferPointer(start: nil, count: 0), attributes: regular(size))
      }
    }
    try cutter.cut()
    try cutter.cut()
    context.order.finish()
    var units: [BackupUnit] = []
    while let unit = context.order.pop() {
      guard case .unit(let work)? = context.work.next() else { throw BackupStopped() }
      #expect(work === unit, "sequencer and workers get the same units in the same order")
      units.append(unit)
    }
    return units
  }

  @Test(
    arguments: [
      ([], []), ([1, 2, 3], [3]), ([500_000, 500_000], [1, 1]), ([400_000, 400_000, 400_000], [2, 1]),
      ([1, 2_000_000, 1], [1, 1, 1]), ([2_000_000, 2_000_000], [1, 1]),
      ([UInt64(GroupLimits.contentDataLimit), 1], [1, 1]),
      ([1, UInt64(GroupLimits.contentDataLimit) + 1, 1], [1, 1, 1]),
      ([UInt64](repeating: 0, count: 2049), [2048, 1]),
    ] as [([UInt64], [Int])])
  func filesFillUnits(_ sizes: [UInt64], _ counts: [Int]) throws {
    let units = try Self.units(sizes)
    #expect(units.map(\.items.count) == counts)
    #expect(units.flatMap(\.items).map(\.index) == (0..<sizes.count).map { 10 + UInt64($0) }, "no index is left out")
    #expect(units.allSatisfy { $0.items.count == 1 || $0.expectedByteCount <= GroupLimits.rawLimit })
  }

  @Test func whatIsNotReadTakesNoRoom() throws {
    #expect(try Self.units([5_000_000, 5_000_000], action: .attributes).map(\.items.count) == [2])
    #expect(try Self.units([5_000_000], action: .follow(LinkPromise())).first?.expectedByteCount == 0)
  }

  @Test func aUnitHoldsABoundedNumberOfDirectories() throws {
    let units = try Self.units([UInt64](repeating: 1, count: 300), directoryOfEach: true)
    #expect(units.map(\.directories.count) == [128, 128, 44])
    #expect(Set(units.flatMap(\.directories).map(\.number)).count == 300)
  }

  @Test func namesAndTargetsLieInTheArena() throws {
    let context = context()
    var cutter = UnitCutter(context: context, firstIndex: 1)
    cutter.enter(nil, path: "/")
    let target = Array("../there".utf8)
    try Self.name("link") { name in
      try target.withUnsafeBytes { target in
        try cutter.add(
          .attributes, name: name, target: target, attributes: FileAttributes(type: .symbolicLink, mode: 0o777))
      }
    }
    try cutter.cut()
    let unit = try #require(context.order.pop())
    #expect(unit.arena == Array("link\0../there".utf8))
    let item = try #require(unit.items.first)
    #expect(item.nameStart == 0 && item.nameLength == 4 && item.targetLength == 8 && item.directory == 0)
  }

  @Test func answersGoToTheItemsThatAsked() throws {
    let unit = BackupUnit()
    unit.enter(nil, path: "/", number: 1)
    for number in 0..<5 {
      Self.name("f") {
        unit.add(
          .store, index: UInt64(number), name: $0, target: UnsafeRawBufferPointer(start: nil, count: 0),
          attributes: regular(5), expectedByteCount: 5, mayHaveHoles: false, asksForInode: number % 2 == 0,
          promise: nil, comparison: nil)
      }
    }
    // The third question has no answer: a director that says too little is no reason to trap.
    unit.answer([nil, stored(7, size: 5)])
    let compared = unit.items.map { item in
      if case .compare(let content) = item.action { content == stored(7, size: 5) } else { false }
    }
    #expect(compared == [false, false, true, false, false])
    unit.answer([ContentReference?](repeating: stored(1, size: 1), count: 9))
  }

  @Test func aStoppedJobTakesNoUnits() throws {
    let context = context()
    context.fail(BackupStopped())
    var cutter = UnitCutter(context: context, firstIndex: 1)
    #expect(throws: BackupStopped.self) {
      try Self.name("f") {
        try cutter.add(
          .store, name: $0, target: UnsafeRawBufferPointer(start: nil, count: 0), attributes: regular(2_000_000))
      }
    }
    #expect(context.isStopping)
  }
}
