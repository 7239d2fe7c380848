import Glibc
import Testing
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import FileDaemon

/// A backup ends, whatever its peers do: no thread waits for what never comes.
@Suite(.serialized, .timeLimit(.minutes(1))) struct BrokenConversationTests {
  /// When the storage daemon goes, counted in groups that it took.
  @Test(arguments: [0, 1, 5, 20]) func theStorageDaemonGoes(_ groupCount: Int) async throws {
    let reply = try await backUp { _, storage in
      for _ in 0..<groupCount {
        let kind = try await storage.receiveFrame().kind
        #expect(kind == .recordGroup)
      }
      storage.close()
    }
    #expect(reply?.code == .fileDaemonFailed)
  }

  /// The storage daemon says why before it goes: another attempt may succeed.
  @Test func theStorageDaemonAbortsTheSession() async throws {
    let reply = try await backUp { _, storage in
      _ = try await storage.receiveFrame()
      try await storage.sendFrame(.jobEnd, Array("3505 Failed = status=3 reason=full\n".utf8))
      storage.close()
    }
    #expect(reply?.code == .sessionAborted)
    #expect(reply?.line["reason"] == "full")
  }

  @Test(arguments: [0, 3]) func theDirectorGoes(_ groupCount: Int) async throws {
    let reply = try await backUp { director, storage in
      for _ in 0..<groupCount { _ = try await storage.receiveFrame() }
      director.close()
      // The file daemon lets go of the storage daemon when all its threads have ended.
      await #expect(throws: TransportError.self) { while true { _ = try await storage.receiveFrame() } }
    }
    #expect(reply == nil)
  }

  // MARK: The peers

  /// Backs up a tree of large and linked files with a storage daemon that behaves as told.
  ///
  /// - Returns: the file daemon's last word; nil when the director did not hear it.
  private func backUp(
    _ behaviour: @escaping @Sendable (_ director: Channel, _ storage: Channel) async throws -> Void
  ) async throws -> Reply? {
    let tree = try SourceTree()
    // Little room: threads block in every stage.
    let (storages, directors) = (PipeListener(name: "sd", capacity: 4096), PipeListener(name: "fd", capacity: 4096))
    let daemon = FileDaemon(name: "fd", clock: SystemClock(), workerCount: 2, excludedDirectories: []) { _ in
      let channel = Channel(try storages.connect(from: "fd"))
      try await Hello(role: .fileDaemon, name: "fd").dial(channel, expecting: .storageDaemon)
      return channel
    }
    let director = Channel(try directors.connect(from: "dir"))
    return try await withThrowingTaskGroup(of: Void.self) { group in
      defer { directors.close() }
      group.addTask { await daemon.run(directors) }
      group.addTask {
        guard let transport = await storages.accept() else { return }
        let channel = Channel(transport)
        _ = try await Hello(role: .storageDaemon, name: "sd").answer(channel, allowing: [.fileDaemon])
        #expect(try await channel.receiveLine()?.verb == "append open session")
        try await channel.sendReply(Reply(.storageOK, fields: [.init(key: "ticket", value: "1")]))
        #expect(try await channel.receiveLine()?.verb == "append data")
        try await channel.sendReply(Reply(.storageOK, "OK data"))
        #expect(try await channel.receiveFrame().kind == .streamHeader)
        try await behaviour(director, channel)
      }
      try await Hello(role: .director, name: "dir").dial(director, expecting: .fileDaemon)
      try await director.request(
        try line("backup = \(session) number=1 attempt=1 compare=no"),
        frame: (.paths, PathList.encode([tree.path])), (.patterns, []), expecting: .fileDaemonOK)
      while let frame = try? await director.receiveFrame() {
        guard frame.kind == .jobEnd else { continue }
        return try frame.payload.withUnsafeBytes {
          try Reply(try ControlLine(decoding: UnsafeRawBufferPointer(rebasing: $0.dropLast())))
        }
      }
      return nil
    }
  }
}

/// A directory with files of several groups and hard links between directories; it goes with the last reference.
private final class SourceTree: Sendable {
  let path: ByteString

  init() throws {
    var template = Array("/tmp/vault-fd-tests-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError.current("mkdtemp", "/tmp") }
    path = ByteString(UnsafeRawBufferPointer(start: made, count: strlen(made)))
    let text = String(decoding: path.bytes, as: UTF8.self)
    for directory in ["a", "b"] { mkdir("\(text)/\(directory)", 0o755) }
    for number in 0..<8 {
      // Files that one unit holds many of, and files of many groups.
      try write("\(text)/a/large\(number)", size: 8 << 20)
      for small in 0..<100 {
        try write("\(text)/a/small\(number)-\(small)", size: 20_000)
        link("\(text)/a/small\(number)-\(small)", "\(text)/b/linked\(number)-\(small)")
      }
    }
  }

  private func write(_ path: String, size: Int) throws {
    let file = try Descriptor.open(ByteString(path), [.writeOnly, .create], mode: 0o644)
    let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    for offset in stride(from: 0, to: size, by: bytes.count) {
      try bytes.withUnsafeBytes { try file.writeAll($0, at: Int64(offset)) }
    }
    try file.close()
  }

  deinit {
    let words: [String] = ["rm", "-rf", "--", String(decoding: path.bytes, as: UTF8.self)]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) }
    arguments.append(nil)
    var process = pid_t()
    if posix_spawn(&process, "/bin/rm", nil, nil, &arguments, environ) == 0 { waitpid(process, nil, 0) }
    for argument in arguments { free(argument) }
  }
}
