import Testing
import VaultModel
import VaultScheduler

/// Which volumes are worth rewriting.
@Suite struct CompactionRuleTests {
  private static let gigabyte: UInt64 = 1 << 30

  private func rule(
    _ bytes: UInt64, _ groups: UInt64, jobs: UInt64 = 1, _ status: VolumeStatus = .full, isGoingOn: Bool = false
  ) -> CompactionRule {
    CompactionRule(byteCount: bytes, groupByteCount: groups, jobCount: jobs, status: status, isGoingOn: isGoingOn)
  }

  @Test func halfOfALargeVolume() {
    let overhead: UInt64 = 6 * 4096
    #expect(rule(Self.gigabyte, Self.gigabyte / 2 - overhead).isRewritten)
    #expect(!rule(Self.gigabyte, Self.gigabyte / 2 - overhead + 4096).isRewritten)
    #expect(rule(Self.gigabyte, Self.gigabyte / 2 - overhead).neededByteCount == Self.gigabyte / 2)
    #expect(rule(Self.gigabyte, 0, .append).reason == "about 0 % of it is needed")
    #expect(rule(Self.gigabyte, Self.gigabyte * 3 / 4).reason.contains("75 %"))
  }

  @Test func aTenthOfASmallOne() {
    let small = CompactionRule.smallByteCount
    #expect(rule(small, small / 10 * 9 - 6 * 4096 - 4096).isRewritten)
    #expect(!rule(small, small / 10 * 9).isRewritten)
    #expect(!rule(small + 4096, small / 10 * 9 - 6 * 4096 - 4096).isRewritten)
  }

  @Test func whatManyJobsTakeIsNothingToGain() {
    // A hundred jobs of one small group each: what tells them is nearly all of the volume.
    let bytes: UInt64 = 4096 + 100 * 4 * 4096
    #expect(!rule(bytes, 100 * 4096, jobs: 100).isRewritten)
    #expect(rule(bytes, 10 * 4096, jobs: 10).isRewritten)
    #expect(!rule(4096, 0, jobs: 0).isRewritten && !rule(0, 0, jobs: 0).isRewritten)
  }

  @Test func neverTheseVolumes() {
    for status in [VolumeStatus.error, .purged] {
      #expect(!rule(Self.gigabyte, 0, status).isRewritten)
      #expect(rule(Self.gigabyte, 0, status).reason.contains(status.rawValue))
    }
    #expect(!rule(Self.gigabyte, 0, isGoingOn: true).isRewritten)
    #expect(rule(Self.gigabyte, 0, isGoingOn: true).reason.contains("goes on"))
    #expect(!rule(Self.gigabyte, .max, jobs: .max).isRewritten, "numbers beyond all bounds")
  }
}
