import VaultModel
import VaultProtocol

/// The first words of a connection.
///
/// - Source: DESIGN "Connections", seed 004's feature exchange.
package struct Hello: Hashable, Sendable {
  /// The protocol features this program has, a bit each; unknown bits of a peer are ignored.
  package static let features: UInt64 = 1 | takingMessages | knowingZstd
  /// A director that has this bit takes frames of messages while a job runs.
  private static let takingMessages: UInt64 = 2
  /// A daemon that has this bit takes and reads groups that are compressed with Zstandard.
  private static let knowingZstd: UInt64 = 4
  package static let version = "0.1.0"

  /// What a console without a name of its own is called.
  package static let unnamedConsole = "*default*"

  package var role: PeerRole
  package var name: String
  package var version: String
  package var features: UInt64
  /// Whether TLS is to end with the hello, for this peer; both sides must be configured so. A listener's terms say it for each peer.
  package var leavesTLS: Bool

  package init(
    role: PeerRole, name: String, version: String = Hello.version, features: UInt64 = Hello.features,
    leavesTLS: Bool = false
  ) {
    self.role = role
    self.name = name
    self.version = version
    self.features = features
    self.leavesTLS = leavesTLS
  }

  /// What a daemon prints at its start for each resource with `TLS Authenticate Only = yes`.
  package static func warning(leavingTLSWith resource: String) -> String {
    "Connections with \(resource) are encrypted for authentication only: whoever is on their way can read and alter "
      + "everything that is saved and restored over them (TLS Authenticate Only = yes)."
  }

  /// Whether this side, a director, takes frames of messages.
  package var takesMessages: Bool { features & Self.takingMessages != 0 }

  package var line: ControlLine {
    var line = ControlLine(
      "Hello", words: [ByteString(role.rawValue), ByteString(name), "calling", ByteString("vault/\(version)")],
      fields: [featuresField])
    if leavesTLS { line.fields.append(Self.leavingField) }
    return line
  }

  /// The answer to `noop`.
  package var noopReply: Reply { Reply(role.helloCode, "OK", fields: [featuresField]) }

  /// The features as a field of a line: a bit each, in hexadecimal digits.
  package var featuresField: ControlLine.Field {
    .init(key: Self.featuresKey, value: ByteString(String(features, radix: 16)))
  }

  private static let featuresKey = "features"

  /// Leaves of the features that a peer tells of itself in a line those that this program has, too.
  package static func agree(on line: inout ControlLine) {
    guard let place = line.fields.firstIndex(where: { $0.key == featuresKey }),
      let theirs = line.fields[place].value.text.flatMap({ UInt64($0, radix: 16) })
    else { return }
    line.fields[place].value = ByteString(String(theirs & features, radix: 16))
  }

  private static let leavingField = ControlLine.Field(key: "tls", value: "authenticate-only")

  /// Whether a line or reply says that TLS ends with it.
  private static func leavesTLS(_ line: ControlLine) throws(ControlError) -> Bool {
    guard let value = line[leavingField.key] else { return false }
    guard value == leavingField.value else { throw ControlError(.malformedField(leavingField.key), line: line.verb) }
    return true
  }

  package init(_ line: ControlLine) throws(ControlError) {
    guard line.verb == "Hello" else { throw ControlError(.malformedLine, line: line.verb) }
    guard let role = PeerRole(rawValue: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("role"), line: "Hello")
    }
    guard try line.word(2) == "calling" else { throw ControlError(.malformedField("calling"), line: "Hello") }
    guard let name = try line.word(1).text, let program = try line.word(3).text, program.hasPrefix("vault/") else {
      throw ControlError(.malformedField("name"), line: "Hello")
    }
    guard let features = UInt64(try line.text("features"), radix: 16) else {
      throw ControlError(.malformedField("features"), line: "Hello")
    }
    self.init(
      role: role, name: name, version: String(program.dropFirst(6)), features: features,
      leavesTLS: try Self.leavesTLS(line))
  }

  /// Asks a daemon, between two requests, whether it knows Zstandard.
  ///
  /// - Parameter code: what it answers `noop` with.
  package static func knowsZstd(_ daemon: Channel, answering code: StatusCode) async throws -> Bool {
    let reply = try await daemon.request(ControlLine("noop"), expecting: code)
    guard let features = UInt64(try reply.line.text("features"), radix: 16) else {
      throw ControlError(.malformedField("features"), line: "noop")
    }
    return features & knowingZstd != 0
  }

  /// Speaks first: says who calls and waits for the listener's answer.
  ///
  /// - Returns: the features both sides have.
  @discardableResult
  package func dial(_ channel: Channel, expecting role: PeerRole) async throws -> UInt64 {
    let reply = try await channel.request(line, expecting: role.helloCode)
    guard let text = reply.line["features"]?.text, let theirs = UInt64(text, radix: 16) else {
      throw ControlError(.missingField("features"), line: reply.line.verb)
    }
    guard try Self.leavesTLS(reply.line) == leavesTLS else {
      throw HelloRefusal.encryption(leavesDialler: leavesTLS)
    }
    if leavesTLS { channel.transport.leaveTLS() }
    return theirs & features
  }

  /// Listens first: the peer's hello, answered when it is whom it was authenticated as, and its role one of `allowed`.
  ///
  /// - Parameters:
  ///   - terms: those configured for a peer of this role and name; nil when nothing goes by it.
  ///   - prepare: makes what the peer may count on once it has the answer; called before that is sent.
  /// - Returns: nil when the peer went without a word.
  /// - Throws: `ControlError`, `HelloRefusal`: the peer was told.
  package func answer(
    _ channel: Channel, allowing allowed: Set<PeerRole>, terms: (Hello) -> PeerTerms? = { _ in PeerTerms() },
    prepare: (Hello) -> Void = { _ in }
  ) async throws -> Hello? {
    guard let line = try await channel.receiveLine() else { return nil }
    let peer: Hello
    do { peer = try Hello(line) } catch {
      try await channel.sendReply(Reply(role.refusalCode, refusing: error))
      throw error
    }
    do {
      let (authentication, terms) = (channel.transport.peerAuthentication, terms(peer))
      try admit(
        peer, authentication: authentication, allowing: allowed, terms: terms, isPrivate: channel.transport.isPrivate)
      if let seconds = terms?.heartbeatSeconds { channel.transport.beatHeart(everySeconds: seconds) }
    } catch {
      try await channel.sendReply(Reply(error.code(of: role), refusing: error))
      throw error
    }
    prepare(peer)
    let fields = [.init(key: "version", value: ByteString(version)), featuresField]
    try await channel.sendReply(
      Reply(role.helloCode, "OK Hello", fields: peer.leavesTLS ? fields + [Self.leavingField] : fields))
    if peer.leavesTLS { channel.transport.leaveTLS() }
    return peer
  }
}
