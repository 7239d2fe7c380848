import VaultConfiguration
import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol

/// libFuzzer's entry: whatever the bytes are, the parsers of blocks, groups, records, frames, lines and configuration
/// files return or throw.
///
/// The first byte chooses the parser. Checksums would hide everything behind them from a fuzzer, so headers are given right
/// ones before they are read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 1 else { return 0 }
  let choice = start[0]
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count - 1, alignment: 16)
  defer { bytes.deallocate() }
  bytes.copyMemory(from: UnsafeRawBufferPointer(start: start + 1, count: count - 1))
  switch choice % 6 {
  case 0: readRecords(UnsafeRawBufferPointer(bytes))
  case 1: readGroup(bytes)
  case 2: readBlock(bytes)
  case 3: readFrames(UnsafeRawBufferPointer(bytes))
  case 4: readLine(UnsafeRawBufferPointer(bytes))
  default: readConfiguration(UnsafeRawBufferPointer(bytes))
  }
  return 0
}

private func readRecords(_ bytes: UnsafeRawBufferPointer) {
  var reader = RecordReader(bytes)
  while let record = try? reader.next() {
    // What was read can be written and read again.
    var writer = RecordWriter(capacity: 256)
    guard case .entry(let index, let directory, let entry) = record else { continue }
    writer.entry(index: index, directory: directory, entry)
    var again = RecordReader(writer.bytes)
    guard case .entry(index, directory, entry)? = try? again.next() else {
      preconditionFailure("an entry that was read is not what is written")
    }
  }
}

private func readGroup(_ bytes: UnsafeMutableRawBufferPointer) {
  if bytes.count >= GroupHeader.byteCount {
    let stored = UnsafeRawBufferPointer(rebasing: bytes[GroupHeader.byteCount...])
    let digest = XXH3.checksum128(stored)
    bytes.storeBytes(of: digest.high.bigEndian, toByteOffset: 104, as: UInt64.self)
    bytes.storeBytes(of: digest.low.bigEndian, toByteOffset: 112, as: UInt64.self)
    let checksum = XXH3.checksum64(UnsafeRawBufferPointer(rebasing: bytes[..<120]))
    bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 120, as: UInt64.self)
  }
  guard let view = try? GroupView(decoding: UnsafeRawBufferPointer(bytes)) else { return }
  guard let decoder = try? GroupDecoder() else { return }
  if let raw = try? decoder.records(of: view) { readRecords(raw) }
}

private func readBlock(_ bytes: UnsafeMutableRawBufferPointer) {
  guard let header = try? BlockHeader(decoding: UnsafeRawBufferPointer(bytes)) else { return }
  guard bytes.count >= header.paddedByteCount else { return }
  _ = BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: bytes[..<header.paddedByteCount]))
  let length = min(bytes.count, header.paddedByteCount)
  var groups = GroupSequence(UnsafeRawBufferPointer(rebasing: bytes[min(BlockHeader.byteCount, length)..<length]))
  while let group = try? groups.next() { _ = try? group.verify() }
}

private func readFrames(_ bytes: UnsafeRawBufferPointer) {
  _ = try? FrameHeader(decoding: bytes)
  _ = try? StreamHeader(Array(bytes))
  _ = try? CommitFrame(decoding: bytes)
  _ = try? VolumeList.decode(bytes)
  _ = try? PathList.decode(bytes)
  _ = try? LocationCodec.locations(bytes)
}

private func readLine(_ bytes: UnsafeRawBufferPointer) {
  guard let line = try? ControlLine(decoding: bytes) else { return }
  _ = try? Reply(line)
  _ = try? JobCounters(line)
  _ = try? DamageLine(line)
  _ = VolumeLine(words: line.words)
}

/// The first byte chooses whose configuration it is; what it includes is its own second half.
private func readConfiguration(_ bytes: UnsafeRawBufferPointer) {
  guard let choice = bytes.first else { return }
  let text = Array(bytes.dropFirst())
  let included = Array(text[(text.count / 2)...])
  let environment = ConfigurationEnvironment(
    read: { path, _ in path == "/x.conf" ? text : included }, list: { _ in ["a.conf", "b.conf"] },
    variable: { $0.utf8.count == 1 ? ByteString($0) : nil })
  switch choice % 4 {
  case 0: _ = try? DirectorConfiguration(file: "/x.conf", environment: environment)
  case 1: _ = try? StorageDaemonConfiguration(file: "/x.conf", environment: environment)
  case 2: _ = try? FileDaemonConfiguration(file: "/x.conf", environment: environment)
  default: _ = try? ConsoleConfiguration(file: "/x.conf", environment: environment)
  }
}
