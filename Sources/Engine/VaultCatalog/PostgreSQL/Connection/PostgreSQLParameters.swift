/// Where a catalog is on a PostgreSQL server, and as whom to go there.
package struct PostgreSQLParameters: Hashable, Sendable {
  /// The server's name or address; nil for a Unix socket.
  package var address: String?
  package var port: UInt16
  /// The directory of the server's Unix socket; nil for libpq's own default.
  package var socketDirectory: String?
  package var database: String
  package var user: String
  /// Nil when the server asks for none, or libpq finds it in a password file.
  package var password: String?
  /// The namespace in the database that holds this director's tables: `schema(ofDirector:)`.
  package var schema: String

  package init(
    address: String? = nil, port: UInt16 = 5432, socketDirectory: String? = nil, database: String, user: String,
    password: String? = nil, schema: String
  ) {
    self.address = address
    self.port = port
    self.socketDirectory = socketDirectory
    self.database = database
    self.user = user
    self.password = password
    self.schema = schema
  }

  /// The schema of a director: `vault_` and its name; a longer one than PostgreSQL takes is cut and told apart by a hash.
  package static func schema(ofDirector name: String) -> String {
    let whole = "vault_" + name.replacing("\0", with: "\u{fffd}")
    guard whole.utf8.count > SQLQuoting.nameLimit else { return whole }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    let suffix = "_" + String(repeating: "0", count: 16 - digits.count) + digits
    var beginning = whole
    while beginning.utf8.count + suffix.utf8.count > SQLQuoting.nameLimit { beginning.removeLast() }
    return beginning + suffix
  }

  /// The place in words, for messages: never the password.
  var place: String {
    let server = address.map { "\($0):\(port)" } ?? "\(socketDirectory ?? "the local socket") port \(port)"
    return "\(database) on \(server), schema \(schema)"
  }

  /// The connection's settings by libpq's keywords; each value stands for itself, whatever it holds.
  var settings: [(keyword: String, value: String)] {
    var settings = [
      ("port", String(port)), ("dbname", database), ("user", user), ("client_encoding", "UTF8"), ("keepalives", "1"),
      ("keepalives_idle", "60"), ("keepalives_interval", "10"), ("keepalives_count", "6"),
      ("tcp_user_timeout", "120000"),
    ]
    if let host = address ?? socketDirectory { settings.append(("host", host)) }
    if let password { settings.append(("password", password)) }
    return settings.map { (keyword: $0.0, value: $0.1) }
  }
}

extension PostgreSQLParameters: CustomStringConvertible, CustomReflectable {
  package var description: String { "\(user) at \(place)" }
  package var customMirror: Mirror { Mirror(self, children: ["parameters": description]) }
}
