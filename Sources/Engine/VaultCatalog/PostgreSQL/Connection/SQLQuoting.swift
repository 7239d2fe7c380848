/// Names and texts as parts of an SQL statement, where no parameter can stand.
enum SQLQuoting {
  /// The bytes of a name that PostgreSQL keeps; it cuts a longer one silently.
  static let nameLimit = 63

  /// - Throws: `.outOfRange` for a name that PostgreSQL cannot hold.
  static func identifier(_ name: String) throws(CatalogError) -> String {
    guard !name.isEmpty, name.utf8.count <= nameLimit, !name.utf8.contains(0) else {
      throw CatalogError(.outOfRange, "the name '\(name)' is empty, longer than \(nameLimit) bytes or holds a NUL")
    }
    return "\"" + name.replacing("\"", with: "\"\"") + "\""
  }

  /// - Throws: `.outOfRange` for a text that PostgreSQL cannot hold.
  static func literal(_ text: String) throws(CatalogError) -> String {
    guard !text.utf8.contains(0) else { throw CatalogError(.outOfRange, "a text holds a NUL") }
    // With an `E` it means the same whatever `standard_conforming_strings` says.
    return "E'" + text.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
  }
}
