/// Columns of text, each as wide as its widest cell.
package struct TextTable {
  package enum Column: Sendable {
    case left(String)
    case right(String)

    fileprivate var title: String {
      switch self {
      case .left(let title), .right(let title): title
      }
    }
  }

  private let columns: [Column]
  private var rows: [[String]]

  package init(_ columns: [Column]) {
    self.columns = columns
    rows = [columns.map(\.title)]
  }

  /// Adds a row of as many cells as there are columns.
  package mutating func add(_ cells: [String]) { rows.append(cells) }

  /// The whole table, a line each row, no spaces at the ends of lines.
  package var text: String {
    let widths = columns.indices.map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(columns, zip(row, widths)).map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.unicodeScalars.count)
        if case .right = column { return padding + cell.0 } else { return cell.0 + padding }
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
