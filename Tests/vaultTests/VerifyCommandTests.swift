import Console
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct VerifyCommandTests {
  private static func report() -> VerifyReport {
    var report = VerifyReport()
    (report.jobs, report.volumes, report.blocks, report.bytes) = (3, 1, 1_200, 5_000_000)
    (report.contents, report.contentBytes) = (79, 4_000_000)
    return report
  }

  private static func damaged() -> VerifyReport {
    var report = report()
    var damage = VerifyReport.Damage(
      volume: "vol-0001", blocks: 17..<19, reason: "the block does not match its checksum", dataGroups: 1)
    let tree = Tree(host: "web1", name: "/home")
    damage.lost = [
      VerifyReport.LostEntry(path: "/home/\u{1b}a", tree: tree, size: 1_500, firstJob: 1, lastJob: nil),
      VerifyReport.LostEntry(path: "/home/b", tree: tree, size: 500, firstJob: 1, lastJob: 2),
    ]
    (damage.lostCount, damage.lostBytes, damage.lostNowCount) = (2, 2_000, 1)
    report.damages = [damage]
    report.notes = ["Volume vol-0009 is not in the catalog; it was not looked at."]
    return report
  }

  @Test func soundnessIsSaidInASentence() async {
    let asked = Mutex<[Bool]>([])
    var repository = FakeRepository()
    repository.verify = { readsData in
      asked.withLock { $0.append(readsData) }
      return Self.report()
    }
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "verify", "--from", "/r") == .done)
    #expect(
      fixture.output == "Checked 3 jobs on 1 volume (1,200 blocks, 5.0 MB) in 0.4 s: everything is in its place.\n")
    let reading = CommandFixture(repository)
    #expect(await reading.run("local", "verify", "--from", "/r", "--read-data") == .done)
    #expect(reading.output.hasSuffix(" and 79 file contents (4.0 MB) in 0.4 s: everything is sound.\n"))
    #expect(asked.withLock { $0 } == [false, true])
    let quiet = CommandFixture(repository)
    #expect(await quiet.run("local", "verify", "--from", "/r", "--quiet") == .done)
    #expect(quiet.output.isEmpty && quiet.talk.isEmpty)
  }

  @Test func damageIsDataAndNotesAreTalk() async {
    var repository = FakeRepository()
    repository.verify = { _ in Self.damaged() }
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "verify", "--from", "/r", "--read-data") == .damaged)
    #expect(
      fixture.output.hasPrefix(
        """
        Volume vol-0001, blocks 17 to 18: the block does not match its checksum.
          A restore would lose 2 versions of files (2.0 kB), 1 of them of the latest state:
            /home/\\x1ba, 1.5 kB (since job 1)
            /home/b, 500 B (jobs 1 to 2)
        Checked
        """))
    #expect(fixture.output.hasSuffix(": 1 damage found; a restore would lose 2 versions of files (2.0 kB).\n"))
    #expect(fixture.talk == "vault: Volume vol-0009 is not in the catalog; it was not looked at.\n")
  }

  @Test func damageAsJSON() async {
    var repository = FakeRepository()
    repository.verify = { _ in Self.damaged() }
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "verify", "--from", "/r", "--json") == .damaged)
    #expect(
      fixture.output == """
        {"damages":[{"volume":"vol-0001","firstBlock":17,"blockCount":2,"reason":"the block does not match its checksum",\
        "dataGroups":1,"attributeGroups":0,"lostCount":2,"lostBytes":2000,"lostNowCount":1,"lost":[\
        {"path":"/home/\\u001ba","tree":{"host":"web1","name":"/home"},"size":1500,"firstJob":1},\
        {"path":"/home/b","tree":{"host":"web1","name":"/home"},"size":500,"firstJob":1,"lastJob":2}]}],"damageCount":1,\
        "notes":["Volume vol-0009 is not in the catalog; it was not looked at."],"jobs":3,"volumes":1,"blocks":1200,\
        "bytes":5000000,"contents":79,"contentBytes":4000000,"durationSeconds":0.400}

        """)
  }
}
