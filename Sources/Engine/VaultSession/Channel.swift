import Synchronization
import VaultModel
import VaultProtocol
import VaultSystem

/// A conversation over a transport: lines and frames in both directions, for tasks and for plain threads.
///
/// One task or thread receives at a time; sends of several are kept whole by a lock. Threads use the calls without `async`, which block;
/// tasks of the cooperative pool use the `async` ones, which wait by continuation.
package final class Channel: @unchecked Sendable {
  // `buffer` and the positions in it belong to the one receiver.
  package let transport: any Transport
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ControlLine.byteLimit, alignment: 16)
  private var start = 0
  private var end = 0
  /// Bytes from `start` that hold no line feed.
  private var searchedCount = 0
  private let received = Monitor()
  private let sendable = Monitor()
  private let sending = SendLock()
  let silence = SilenceWatch()
  /// The transport, where threads can wait for the system itself.
  private let waiting: (any ThreadWaitingTransport)?
  /// The transport, where its peer takes bytes from where they lie.
  private let lending: (any LendingTransport)?

  package init(_ transport: any Transport) {
    self.transport = transport
    waiting = transport as? any ThreadWaitingTransport
    lending = transport as? any LendingTransport
  }

  deinit { buffer.deallocate() }

  /// Ends the conversation: whoever waits in it, here or at the peer, is woken.
  package func close() { transport.close() }

  /// Ends the conversation when this side has waited so long for a single byte, or for room for one; 0 lifts the limit.
  package func limitSilence(seconds: UInt64, poller: Poller) { silence.limit(seconds: seconds, poller: poller, self) }

  func endForSilence() {
    silence.markSilent()
    close()
  }

  /// Why the stream is over: its end, or that it was ended for the peer's silence.
  private var over: TransportError {
    TransportError(silence.isSilent ? .silent(seconds: silence.limitSeconds) : .closed, peer: transport.peer)
  }

  private func malformed(_ error: any Error) -> TransportError {
    TransportError(.malformed("\(error)"), peer: transport.peer)
  }

  /// Calls `wake` once, when the peer says something or ends the conversation; for the receiver, between two receives.
  package func whenBytesArrive(_ wake: @escaping @Sendable () -> Void) {
    if start < end { wake() } else { transport.whenReceivable(wake) }
  }

  // MARK: Lines

  /// A line out of the buffer, or why its bytes are none; nil when more bytes are needed.
  private func bufferedRequest() throws(TransportError) -> Swift.Result<ControlLine, ControlError>? {
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
    guard let feed = bytes[searchedCount...].firstIndex(of: 0x0a) else {
      if bytes.count == ControlLine.byteLimit { throw malformed(ControlError(.lineTooLong, line: "")) }
      searchedCount = bytes.count
      return nil
    }
    start += feed + 1
    searchedCount = 0
    do throws(ControlError) {
      return .success(try ControlLine(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<feed])))
    } catch {
      return .failure(error)
    }
  }

  /// A line out of the buffer; nil when more bytes are needed.
  private func bufferedLine() throws(TransportError) -> ControlLine? {
    switch try bufferedRequest() {
    case .success(let line)?: return line
    case .failure(let error)?: throw malformed(error)
    case nil: return nil
    }
  }

  /// Moves what is left to the buffer's beginning and receives more.
  ///
  /// - Returns: nil when nothing is there now; 0 at the end of the stream.
  private func refill() throws(TransportError) -> Int? {
    if start > 0 {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
      buffer.copyMemory(from: rest)
      end -= start
      start = 0
    }
    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
    guard let count = try transport.receive(into: room) else { return nil }
    end += count
    return count
  }

  /// The next line, waiting by continuation; nil when the peer ended the stream between lines.
  package func receiveLine() async throws -> ControlLine? {
    switch try await receiveRequest() {
    case .success(let line)?: return line
    case .failure(let error)?: throw malformed(error)
    case nil: return nil
    }
  }

  /// The same for who answers every line: where a line ends is clear even when its bytes are no line's.
  package func receiveRequest() async throws -> Swift.Result<ControlLine, ControlError>? {
    while true {
      if let request = try bufferedRequest() { return request }
      guard let count = try refill() else {
        try await waitReceivable()
        continue
      }
      if count == 0 {
        if start == end { return nil }
        throw over
      }
    }
  }

  /// Sends a line whole, waiting by continuation.
  package func sendLine(_ line: ControlLine) async throws { try await sendAll(try Self.bytes(of: line)) }
  package func sendReply(_ reply: Reply) async throws { try await sendLine(reply.line) }

  /// The line's bytes, if the peer would take them.
  private static func bytes(of line: ControlLine) throws(ControlError) -> [UInt8] {
    let bytes = line.encoded()
    guard bytes.count <= ControlLine.byteLimit else { throw ControlError(.lineTooLong, line: line.verb) }
    return bytes
  }

  /// The reply to what was asked, refusals included.
  package func receiveReply() async throws -> Reply {
    guard let line = try await receiveLine() else { throw over }
    do { return try Reply(line) } catch { throw malformed(error) }
  }

  /// Asks and waits for a reply with one of the codes that mean success.
  ///
  /// - Parameter frame: what follows the line; `more` follows that.
  @discardableResult
  package func request(
    _ line: ControlLine, frame: (kind: FrameKind, payload: [UInt8])? = nil,
    _ more: (kind: FrameKind, payload: [UInt8])..., expecting: StatusCode...
  ) async throws -> Reply {
    try await request(line, frames: (frame.map { [$0] } ?? []) + more, expecting: expecting)
  }

  /// The same, with any number of frames behind the line.
  @discardableResult
  package func request(
    _ line: ControlLine, frames: [(kind: FrameKind, payload: [UInt8])], expecting: [StatusCode]
  ) async throws -> Reply {
    try await sendLine(line)
    for frame in frames { try await sendFrame(frame.kind, frame.payload) }
    let reply = try await receiveReply()
    guard let code = reply.code, expecting.contains(code) else { throw PeerRefusal(reply) }
    return reply
  }

  // MARK: Frames of tasks

  /// The next frame with its payload, waiting by continuation.
  ///
  /// - Parameter closingOnCancel: whether a cancelled task closes the conversation; else it goes on waiting for the peer's last word.
  package func receiveFrame(closingOnCancel: Bool = true) async throws -> (kind: FrameKind, payload: [UInt8]) {
    var header = [UInt8](repeating: 0, count: FrameHeader.byteCount)
    try await receiveExactly(&header, closingOnCancel)
    let parsed: FrameHeader
    do { parsed = try header.withUnsafeBytes { try FrameHeader(decoding: $0) } } catch {
      throw malformed(error)
    }
    var payload = [UInt8](repeating: 0, count: parsed.payloadLength)
    try await receiveExactly(&payload, closingOnCancel)
    return (parsed.kind, payload)
  }

  private func receiveExactly(_ bytes: inout [UInt8], _ closingOnCancel: Bool) async throws {
    var done = 0
    while done < bytes.count {
      let count = try bytes.withUnsafeMutableBytes { raw in
        try takeSome(into: UnsafeMutableRawBufferPointer(rebasing: raw[done...]))
      }
      guard let count else {
        if closingOnCancel {
          try await waitReceivable()
        } else {
          silence.beginReceiving()
          await withCheckedContinuation { continuation in transport.whenReceivable { continuation.resume() } }
          silence.endReceiving()
        }
        continue
      }
      if count == 0 { throw over }
      done += count
    }
  }

  /// Sends a line from wherever the caller is, without waiting: for cancellation handlers.
  package func sendSoon(_ line: ControlLine) { soon { try $0.sendLineBlocking(line) } }

  /// Sends an empty frame from wherever the caller is, without waiting: for cancellation handlers.
  package func sendSoon(_ kind: FrameKind) {
    soon { try $0.sendFrameBlocking(kind, UnsafeRawBufferPointer(start: nil, count: 0)) }
  }

  /// Sends on a thread of its own, for the peer may have no room; when there is no thread to be had, closes the conversation.
  private func soon(_ send: @escaping @Sendable (Channel) throws -> Void) {
    do {
      let thread = try WorkerThread(name: "vault-send") { [self] in
        do { try send(self) } catch { close() }
      }
      thread.detach()
    } catch {
      close()
    }
  }

  /// Sends a small frame, waiting by continuation.
  package func sendFrame(_ kind: FrameKind, _ payload: [UInt8]) async throws {
    try refuseTooLarge(payload.count)
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
    bytes.withUnsafeMutableBytes { FrameHeader(kind: kind, payloadLength: payload.count).encode(into: $0) }
    try await sendAll(bytes + payload)
  }

  /// What a peer would refuse is not sent: the conversation stays in step.
  private func refuseTooLarge(_ byteCount: Int) throws(TransportError) {
    if byteCount > FrameHeader.payloadLimit { throw TransportError(.tooLarge(byteCount), peer: transport.peer) }
  }

  private func sendAll(_ bytes: [UInt8]) async throws {
    if !sending.tryLock() { await wait { sending.whenHeld($0) } }
    defer { sending.unlock() }
    var done = 0
    while done < bytes.count {
      let count = try bytes.withUnsafeBytes { try transport.send(UnsafeRawBufferPointer(rebasing: $0[done...])) }
      if let count {
        done += count
      } else {
        silence.beginSending()
        await wait { transport.whenSendable($0) }
        silence.endSending()
        if Task.isCancelled { throw TransportError(.cancelled, peer: transport.peer) }
      }
    }
  }

  /// Waits until something arrived.
  private func waitReceivable() async throws {
    silence.beginReceiving()
    await wait { transport.whenReceivable($0) }
    silence.endReceiving()
    if Task.isCancelled { throw TransportError(.cancelled, peer: transport.peer) }
  }

  /// Waits for a wake-up; a cancelled task closes the conversation, so the wait ends.
  private func wait(_ register: (@escaping @Sendable () -> Void) -> Void) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in register { continuation.resume() } }
    } onCancel: {
      transport.close()
    }
  }

  // MARK: Threads

  /// Takes from the line buffer first, then from the transport.
  private func takeSome(into output: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int? {
    guard start < end else { return try transport.receive(into: output) }
    let count = min(end - start, output.count)
    output.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<start + count]))
    start += count
    searchedCount = 0
    return count
  }

  /// Fills `output`, blocking the thread.
  package func receive(into output: UnsafeMutableRawBufferPointer) throws(TransportError) {
    var done = 0
    while done < output.count {
      if let count = try takeSome(into: UnsafeMutableRawBufferPointer(rebasing: output[done...])) {
        if count == 0 { throw over }
        done += count
      } else {
        try blockUntilReceivable()
      }
    }
  }

  private func blockUntilReceivable() throws(TransportError) {
    silence.beginReceiving()
    defer { silence.endReceiving() }
    if let waiting {
      _ = try waiting.blockUntilReceivable(nanoseconds: nil)
      return
    }
    let ticket = received.ticket()
    transport.whenReceivable { [received] in received.signal() }
    received.wait(since: ticket)
  }

  /// Waits until something is there or a time passed, blocking the thread.
  package func waitForBytes(nanoseconds: UInt64) throws(TransportError) -> Bool {
    if start < end { return true }
    if let waiting { return try waiting.blockUntilReceivable(nanoseconds: nanoseconds) }
    let ticket = received.ticket()
    transport.whenReceivable { [received] in received.signal() }
    return received.wait(since: ticket, nanoseconds: nanoseconds)
  }

  /// The next frame's header, blocking the thread; its payload is received next.
  package func receiveFrameHeader() throws(TransportError) -> FrameHeader {
    var bytes: UInt64 = 0
    let result = withUnsafeMutableBytes(of: &bytes) { raw -> Swift.Result<FrameHeader, TransportError> in
      let space = UnsafeMutableRawBufferPointer(rebasing: raw[..<FrameHeader.byteCount])
      do throws(TransportError) { try receive(into: space) } catch { return .failure(error) }
      do throws(FormatError) {
        return .success(try FrameHeader(decoding: UnsafeRawBufferPointer(space)))
      } catch {
        return .failure(malformed(error))
      }
    }
    return try result.get()
  }

  /// The next line, blocking the thread.
  package func receiveLineBlocking() throws(TransportError) -> ControlLine {
    while true {
      if let line = try bufferedLine() { return line }
      guard let count = try refill() else {
        try blockUntilReceivable()
        continue
      }
      if count == 0 { throw over }
    }
  }

  /// Sends a line whole, blocking the thread.
  package func sendLineBlocking(_ line: ControlLine) throws {
    try Self.bytes(of: line).withUnsafeBytes { try sendParts($0, nil) }
  }

  /// Sends bytes that a line announced, blocking the thread until the peer has taken them where that saves copying them in
  /// between: see `lendFrameBlocking`.
  package func lendBytesBlocking(_ bytes: UnsafeRawBufferPointer) throws(TransportError) {
    try sendParts(UnsafeRawBufferPointer(start: nil, count: 0), bytes, isLent: true)
  }

  /// Sends a frame whole, blocking the thread.
  package func sendFrameBlocking(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) throws(TransportError) {
    try sendFrameBlocking(kind, payload, isLent: false)
  }

  /// Sends a frame whole, blocking the thread until the peer has taken its payload, where that saves copying it in between.
  ///
  /// Only for a peer that goes on receiving whatever this side does meanwhile.
  package func lendFrameBlocking(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) throws(TransportError) {
    try sendFrameBlocking(kind, payload, isLent: true)
  }

  private func sendFrameBlocking(
    _ kind: FrameKind, _ payload: UnsafeRawBufferPointer, isLent: Bool
  ) throws(TransportError) {
    try refuseTooLarge(payload.count)
    var header: UInt64 = 0
    var failure: TransportError?
    withUnsafeMutableBytes(of: &header) { raw in
      let space = UnsafeMutableRawBufferPointer(rebasing: raw[..<FrameHeader.byteCount])
      FrameHeader(kind: kind, payloadLength: payload.count).encode(into: space)
      do throws(TransportError) {
        try sendParts(UnsafeRawBufferPointer(space), payload, isLent: isLent)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  private func sendParts(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer?, isLent: Bool = false
  ) throws(TransportError) {
    sending.lock()
    defer { sending.unlock() }
    try sendAllBlocking(first)
    guard let second else { return }
    if isLent, let lending { try lend(second, to: lending) } else { try sendAllBlocking(second) }
  }

  private func lend(_ bytes: UnsafeRawBufferPointer, to lending: any LendingTransport) throws(TransportError) {
    silence.beginSending()
    defer { silence.endSending() }
    do throws(TransportError) { try lending.lend(bytes) } catch { throw silence.isSilent ? over : error }
  }

  private func sendAllBlocking(_ bytes: UnsafeRawBufferPointer) throws(TransportError) {
    var done = 0
    while done < bytes.count {
      do throws(TransportError) {
        if let count = try transport.send(UnsafeRawBufferPointer(rebasing: bytes[done...])) {
          done += count
        } else {
          try blockUntilSendable()
        }
      } catch {
        throw silence.isSilent ? over : error
      }
    }
  }

  private func blockUntilSendable() throws(TransportError) {
    silence.beginSending()
    defer { silence.endSending() }
    if let waiting { return try waiting.blockUntilSendable() }
    let ticket = sendable.ticket()
    transport.whenSendable { [sendable] in sendable.signal() }
    sendable.wait(since: ticket)
  }
}
