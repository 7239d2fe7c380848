import Testing
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

func line(_ text: String) throws -> ControlLine {
  try Array(text.utf8).withUnsafeBytes { try ControlLine(decoding: $0) }
}

let session = UniqueIdentifier(high: 0xa, low: 0xb)
let volume = UniqueIdentifier(high: 0xc, low: 0xd)

func context(workerCount: Int = 2) -> BackupContext {
  BackupContext(session: session, attempt: 1, workerCount: workerCount, clock: SystemClock())
}

func regular(_ size: UInt64, inode: UInt64 = 1, links: UInt32 = 1) -> FileAttributes {
  FileAttributes(
    type: .regular, mode: 0o644, device: 1, inode: inode, linkCount: links, size: size,
    changed: FileTime(seconds: 1_700_000_000, nanoseconds: 999_999_999))
}

func stored(_ index: UInt64, size: UInt64, session: UniqueIdentifier = session) -> ContentReference {
  .stored(
    ContentIdentifier(session: session, index: index),
    SealedContent(size: size, algorithm: .sha256, digest: Digest256(words: (index, 0, 0, 0))))
}

func group(_ number: UInt64, entry: UInt64, offset: UInt64 = 0) -> GroupLocation {
  GroupLocation(
    group: number, kind: .data, firstEntry: entry, firstOffset: offset, volume: volume,
    block: BlockAddress(block: UInt32(number)), storedLength: 1000, rawLength: 1000)
}

/// A group's slot content that tells which it is.
func slotGroup(_ recordCount: UInt32) throws -> GroupSlot.Group {
  var bytes = [UInt8](repeating: 0, count: GroupHeader.byteCount + 64)
  let position = GroupEncoder.Position(
    kind: .attributes, flags: 0, session: session, attempt: 1, firstEntry: 1, firstOffset: 0)
  var records = RecordWriter()
  records.directory(number: 1, path: "/")
  let raw = records.bytes
  let header = try bytes.withUnsafeMutableBytes {
    try GroupEncoder.lz4.encode(raw, recordCount: recordCount, position, into: $0)
  }
  return GroupSlot.Group(header: header, bytes: .owned(bytes))
}

/// Runs `body` on a thread and waits for what it returns.
func elsewhere<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await onThread(name: "test", body)
}
