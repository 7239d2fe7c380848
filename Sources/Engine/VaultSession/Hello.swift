import VaultModel
import VaultProtocol

/// Who is at an end of a connection.
package enum PeerRole: String, Sendable, CaseIterable {
  case console
  case director
  case fileDaemon = "file-daemon"
  case storageDaemon = "storage-daemon"

  /// The code with which the role answers a hello.
  package var helloCode: StatusCode {
    switch self {
    case .console, .director: .directorOK
    case .fileDaemon: .fileDaemonOK
    case .storageDaemon: .storageOK
    }
  }

  /// The code with which the role refuses one.
  package var refusalCode: StatusCode {
    switch self {
    case .console, .director: .directorRefused
    case .fileDaemon: .fileDaemonFailed
    case .storageDaemon: .storageRefused
    }
  }
}

/// The first words of a connection.
///
/// - Source: DESIGN "Connections", seed 004's feature exchange.
package struct Hello: Hashable, Sendable {
  /// The protocol features this program has, a bit each; unknown bits of a peer are ignored.
  package static let features: UInt64 = 1
  package static let version = "0.1.0"

  /// What a console without a name of its own is called.
  package static let unnamedConsole = "*default*"

  package var role: PeerRole
  package var name: String
  package var version: String
  package var features: UInt64

  package init(role: PeerRole, name: String, version: String = Hello.version, features: UInt64 = Hello.features) {
    self.role = role
    self.name = name
    self.version = version
    self.features = features
  }

  package var line: ControlLine {
    ControlLine(
      "Hello", words: [ByteString(role.rawValue), ByteString(name), "calling", ByteString("vault/\(version)")],
      fields: [.init(key: "features", value: ByteString(String(features, radix: 16)))])
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
    self.init(role: role, name: name, version: String(program.dropFirst(6)), features: features)
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
    return theirs & features
  }

  /// Listens first: the peer's hello, answered when its role is one of `allowed`.
  package func answer(_ channel: Channel, allowing allowed: Set<PeerRole>) async throws -> Hello? {
    guard let line = try await channel.receiveLine() else { return nil }
    let peer: Hello
    do { peer = try Hello(line) } catch {
      try await channel.sendReply(Reply(role.refusalCode, refusing: error))
      throw error
    }
    guard allowed.contains(peer.role) else {
      let refusal = HelloRefusal(role: peer.role, listener: role)
      try await channel.sendReply(Reply(role.refusalCode, refusing: refusal))
      throw refusal
    }
    try await channel.sendReply(
      Reply(
        role.helloCode, "OK Hello",
        fields: [
          .init(key: "version", value: ByteString(version)),
          .init(key: "features", value: ByteString(String(features, radix: 16))),
        ]))
    return peer
  }
}

/// A peer whose role has no business with the listener.
package struct HelloRefusal: DescribedError, Hashable {
  package let role: PeerRole
  package let listener: PeerRole
  package var exitStatus: ExitStatus { .unreachable }
  package var description: String { "A \(role.rawValue) has no business with a \(listener.rawValue)." }
}
