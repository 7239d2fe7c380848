import Synchronization
import struct SystemPackage.Errno
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Counts what a restore did and tells the director of every path that failed, and once a second how far it is.
final class RestoreReport: Sendable {
  private struct State {
    var entries: UInt64 = 0
    var files: UInt64 = 0
    var bytes: UInt64 = 0
    var problems: UInt64 = 0
    /// Of the problems, those that only say that something was there and stayed.
    var kept: UInt64 = 0
    /// What a trial found in the way that a restore would replace.
    var replaced: UInt64 = 0
    var foundDamage = false
    /// Bytes of files that are being written.
    var unfinishedBytes: UInt64 = 0
    var lastProgress: UInt64
    /// What was restored last, shortly before the next line.
    var path: ByteString = ""
    var unset: [UnsetAttributes.Kind: Unset] = [:]

    /// Keeps a path if a line is due; none is made otherwise.
    mutating func notePath(_ path: () -> ByteString, ifDueAt now: UInt64) -> Bool {
      guard now &- lastProgress >= RestoreReport.interval else { return false }
      self.path = path()
      return true
    }
  }

  /// What the system refused to set, of how many entries, and the first of them.
  private struct Unset {
    var count: UInt64
    var first: ByteString
    var error: Errno
  }

  private static let interval: UInt64 = 1_000_000_000
  /// A restore over an existing tree keeps thousands: the first ones tell what is going on.
  private static let namedKeptLimit: UInt64 = 10

  private let state: Mutex<State>
  private let director: Channel
  private let clock: any VaultClock

  /// Whether contents are read only, and failures tell the content instead of its paths.
  private let isVerification: Bool

  init(director: Channel, clock: any VaultClock, isVerification: Bool = false) {
    self.director = director
    self.clock = clock
    state = Mutex(State(lastProgress: clock.monotonicNanoseconds()))
    self.isVerification = isVerification
  }

  /// An entry is in place, perhaps without all its attributes.
  func restored(_ path: @autoclosure () -> ByteString, _ unset: UnsetAttributes, bytes: UInt64? = nil) {
    let now = clock.monotonicNanoseconds()
    let isDue = state.withLock { state in
      state.entries += 1
      state.bytes = state.bytes.addingClamped(bytes ?? 0)
      if bytes != nil { state.files += 1 }
      return state.notePath(path, ifDueAt: now)
    }
    if isDue { tick() }
    notSet(unset, of: path())
  }

  /// Whether anything is in place that was not there before.
  var hasRestored: Bool { state.withLock { $0.entries > 0 } }

  /// Some attributes of a path could not be set; they are told together at the end.
  func notSet(_ unset: UnsetAttributes, of path: @autoclosure () -> ByteString) {
    guard !unset.isEmpty else { return }
    let path = path()
    state.withLock { state in
      for (kind, error) in unset.errors {
        state.unset[kind, default: Unset(count: 0, first: path, error: error)].count += 1
      }
    }
  }

  /// Tells what could not be set: a problem for each kind of attribute.
  func tellUnset() {
    let all = state.withLock { state in
      defer { state.unset = [:] }
      return state.unset
    }
    for kind in UnsetAttributes.Kind.allCases {
      guard let unset = all[kind] else { continue }
      let others = unset.count > 1 ? "; this is the first of \(unset.count) entries" : ""
      problem(unset.first, "its \(kind.words) could not be set: \(unset.error.description)\(others)")
    }
  }

  /// A large file is being written: bytes that count until its end.
  func writing(_ path: @autoclosure () -> ByteString, _ byteCount: UInt64) {
    let now = clock.monotonicNanoseconds()
    let isDue = state.withLock { state in
      state.unfinishedBytes &+= byteCount
      return state.notePath(path, ifDueAt: now)
    }
    if isDue { tick() }
  }

  /// The large file is done: what was told of it no longer counts.
  func wrote(_ byteCount: UInt64) { state.withLock { $0.unfinishedBytes &-= byteCount } }

  /// Something has an entry's name, and stays as it is.
  func kept(_ path: @autoclosure () -> ByteString) {
    let count = state.withLock { state in
      state.problems += 1
      state.kept += 1
      return state.kept
    }
    if count <= Self.namedKeptLimit { tell(path(), "exists already and is kept", isKept: true) }
  }

  /// A trial found something in the way that makes way.
  func replaced() { state.withLock { $0.replaced += 1 } }

  /// A path could not be restored.
  func problem(_ path: ByteString, _ reason: String, damage: Bool = false) {
    state.withLock { state in
      state.problems += 1
      if damage { state.foundDamage = true }
    }
    tell(path, reason)
  }

  private func tell(_ path: ByteString, _ reason: String, isKept: Bool = false) {
    var line = ControlLine("problem")
    line.set("path", path)
    line.set("reason", reason)
    if isKept { line.set("kept", "yes") }
    send(.restoreProblem, line)
  }

  /// A content cannot be had: every path that has it, or in a verification the content itself.
  func failed(_ item: ContentItem, _ reason: String, damage: Bool) {
    guard isVerification else {
      for group in item.groups {
        for row in group.rows { problem(row.path, reason, damage: damage) }
      }
      return
    }
    state.withLock { state in
      state.problems += 1
      state.foundDamage = true
    }
    var line = ControlLine("problem")
    line.set("session", item.identifier.session.text)
    line.set("index", item.identifier.index)
    line.set("reason", reason)
    send(.restoreProblem, line)
  }

  /// A content's digest is right.
  func verified(bytes: UInt64) {
    state.withLock { state in
      state.entries += 1
      state.files += 1
      state.bytes = state.bytes.addingClamped(bytes)
    }
  }

  /// Tells how far the restore is, if a second went by.
  func tick() {
    let now = clock.monotonicNanoseconds()
    let due: State? = state.withLock { state in
      guard now &- state.lastProgress >= Self.interval else { return nil }
      state.lastProgress = now
      return state
    }
    guard let due else { return }
    var line = ControlLine("progress")
    line.set("entries", due.entries)
    line.set("bytes", due.bytes &+ due.unfinishedBytes)
    line.set("read", due.bytes &+ due.unfinishedBytes)
    line.set("sent", due.bytes &+ due.unfinishedBytes)
    line.set("problems", due.problems)
    line.set("path", due.path)
    send(.progress, line)
  }

  private func send(_ kind: FrameKind, _ line: ControlLine) {
    let bytes = line.encoded()
    // A director that is gone is noticed where its plan is awaited, or does not matter any more.
    try? bytes.withUnsafeBytes { try director.sendFrameBlocking(kind, $0) }
  }

  /// The last words of the job.
  func reply() -> Reply {
    let end = state.withLock { $0 }
    var reply = Reply(.fileDaemonOK)
    reply.line.set("entries", end.entries)
    reply.line.set("files", end.files)
    reply.line.set("bytes", end.bytes)
    reply.line.set("problems", end.problems)
    reply.line.set("kept", end.kept)
    reply.line.set("replaced", end.replaced)
    reply.line.set("damage", end.foundDamage ? "yes" : "no")
    return reply
  }
}

extension UnsetAttributes.Kind {
  fileprivate var words: String {
    switch self {
    case .owner: "owner or group"
    case .mode: "mode"
    case .times: "times"
    case .extendedAttributes: "extended attributes"
    case .inodeFlags: "inode flags"
    }
  }
}
