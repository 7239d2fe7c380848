import VaultConfiguration

extension DaemonParameters {
  /// Where the daemon listens: everywhere, unless it says where.
  package var places: [(host: String?, port: UInt16)] {
    listen.isEmpty ? [(nil, port)] : listen.map { ($0.host?.text, $0.port ?? port) }
  }

  /// What bounds the connections of its listener.
  package var listenerLimits: TLSListener.Limits {
    var limits = TLSListener.Limits()
    limits.connections = connectionLimit
    limits.connectionsPerAddress = connectionPerAddressLimit
    return limits
  }
}
