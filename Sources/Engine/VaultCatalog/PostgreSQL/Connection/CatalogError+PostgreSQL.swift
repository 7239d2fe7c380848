extension CatalogError {
  /// The error for an SQLSTATE and the server's message.
  static func server(_ state: String, _ message: String, detail: String?, isBroken: Bool) -> CatalogError {
    let text = detail.map { "\(message) (\($0))" } ?? message
    return CatalogError(kind(ofState: state, isBroken: isBroken), "\(text) (PostgreSQL \(state))")
  }

  /// The error for what libpq says about a connection that did not come about, with the code in its text.
  static func connecting(_ text: String) -> CatalogError {
    let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }
    // `FATAL:  28P01: password authentication failed`
    let words = lines.joined(separator: "; ").split(separator: " ", omittingEmptySubsequences: true)
    let code = words.first { word in
      word.count == 6 && word.last == ":" && word.dropLast().allSatisfy { $0.isNumber || $0.isUppercase }
        && word.first?.isNumber == true
    }
    let message = words.filter { $0 != code }.joined(separator: " ")
    guard let code else { return CatalogError(.unreachable, message) }
    return CatalogError(kind(ofState: String(code.dropLast()), isBroken: true), message)
  }

  private static func kind(ofState state: String, isBroken: Bool) -> Kind {
    switch state {
    case "42501", "3D000", "0LP01", "55000": return .refused
    case "57P01", "57P02", "57P03", "57P05", "53300": return .unreachable
    case "53100": return .diskFull
    case "58030": return .inputOutput(0)
    case "25006": return .readOnly
    case "XX001", "XX002", "42P01", "42703", "3F000": return .corrupt
    case "22021", "54000": return .outOfRange
    default: break
    }
    if state.hasPrefix("28") { return .refused }
    return state.hasPrefix("08") || isBroken ? .unreachable : .server(state)
  }

  /// Whether another transaction stood in the way, and the same call may succeed now.
  var isCollision: Bool { kind == .server("40001") || kind == .server("40P01") }
}
