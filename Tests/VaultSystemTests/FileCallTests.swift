import Glibc
import Testing
import VaultModel
import VaultSystem

import struct SystemPackage.Errno

struct FileCallTests {
  @Test func temporaryFilesHaveNoName() throws {
    var template = Array("/tmp/vault-system-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    defer { rmdir(made) }
    let path = ByteString(UnsafeRawBufferPointer(start: made, count: strlen(made)))
    let file = try TemporaryFile.open(in: path)
    try [UInt8]("bytes".utf8).withUnsafeBytes { try file.writeAll($0, at: 10) }
    #expect(try file.size() == 15)
    #expect(try FileStatus.read(of: file.rawValue).linkCount == 0)
    #expect(throws: SystemError.self) { _ = try TemporaryFile.open(in: "/nowhere") }
  }

  @Test(
    arguments: [
      ("proc/sys/kernel", nil), ("proc/self", Errno.tooManySymbolicLinkLevels),
      ("proc/self/fd", .tooManySymbolicLinkLevels), ("..", .improperLink), ("/proc", .improperLink),
      ("nowhere", .noSuchFileOrDirectory),
    ] as [(String, Errno?)])
  func opensOnlyBeneath(_ path: String, _ expected: Errno?) throws {
    let start = try Descriptor.open(path == ".." ? "/proc" : "/", [.pathOnly, .directory])
    do throws(Errno) {
      _ = try Descriptor.openBeneath(start.rawValue, ByteString(path), [.pathOnly, .directory])
      #expect(expected == nil)
    } catch { #expect(error == expected) }
  }

  @Test func tellsTypesApart() throws {
    #expect(try FileStatus.read(at: Descriptor.workingDirectory, name: "/dev/null").type == .characterDevice)
    #expect(try FileStatus.read(at: Descriptor.workingDirectory, name: "/proc/self").type == .symbolicLink)
    #expect(throws: Errno.noSuchFileOrDirectory) {
      try FileStatus.read(at: Descriptor.workingDirectory, name: "/nowhere")
    }
    for type in FileType.allCases { #expect(FileType(systemMode: type.systemMode | 0o7777) == type) }
    #expect(FileType(systemMode: 0o170000) == nil)
    let null = try FileStatus.read(at: Descriptor.workingDirectory, name: "/dev/null")
    #expect(null.specialDevice == 0x103 && null.size == 0)
  }

  @Test func raisesTheDescriptorLimit() {
    var limit = rlimit()
    let raised = DescriptorLimit.raise()
    #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    #expect(limit.rlim_cur == limit.rlim_max && raised == Int(clamping: limit.rlim_cur))
  }

  @Test func knowsCoarseFileSystems() throws {
    let proc = try Descriptor.open("/proc", [.readOnly, .directory])
    #expect(TimestampGranularity.nanoseconds(of: proc.rawValue) == TimestampGranularity.usualNanoseconds)
    #expect(TimestampGranularity.nanoseconds(of: -1) == TimestampGranularity.coarseNanoseconds)
  }

  @Test func stopsReadingNames() throws {
    let directory = try Descriptor.open("/", [.readOnly, .directory])
    var stream = DirectoryStream()
    var count = 0
    try stream.forEachName(in: directory.rawValue) { name in
      count += 1
      #expect(name.bytes.count > 0 && name.bytes[0] != 0x2e || name.bytes.count > 2)
      return count < 2
    }
    #expect(count == 2)
    let file = try TemporaryFile.open(in: "/tmp")
    #expect(throws: Errno.notDirectory) { try stream.forEachName(in: file.rawValue) { _ in true } }
  }
}
