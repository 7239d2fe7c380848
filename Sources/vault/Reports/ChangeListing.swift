import Console
import Synchronization
import VaultModel

/// Writes what a dry run finds, entry by entry as it comes.
final class ChangeListing: Sendable {
  enum Form: Sendable {
    case lines
    /// An array that opens the report's object.
    case array
    /// An object a line, between those of progress.
    case objects
  }

  private let output: StandardOutput
  private let form: Form
  private let document = Mutex<JSONWriter?>(nil)

  init(output: StandardOutput, form: Form) {
    self.output = output
    self.form = form
  }

  /// Takes the next change.
  ///
  /// - Throws: `CancellationError` when nobody reads on: the rest need not be found.
  func add(_ change: PlannedChange) throws {
    switch form {
    case .lines: output.write("\(change.kind.rawValue) \(change.path.displayText)\n")
    case .array:
      document.withLock { document in
        var writer = document ?? Self.begun()
        writer.beginLine()
        writer.object { Self.write(change, to: &$0) }
        output.write(writer.takeBytes())
        document = writer
      }
    case .objects:
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("type", "change")
        Self.write(change, to: &writer)
      }
      writer.endLine()
      output.write(writer.takeBytes())
    }
    if output.isClosed { throw CancellationError() }
  }

  /// The report's object, begun: with the array of changes when it is to have one.
  func report() -> JSONWriter {
    guard form == .array else { return .begunObject() }
    return document.withLock { document in
      var writer = document ?? Self.begun()
      writer.endArray()
      return writer
    }
  }

  private static func write(_ change: PlannedChange, to writer: inout JSONWriter) {
    writer.field("change", change.kind.rawValue)
    writer.field("path", change.path)
  }

  /// A report whose changes follow.
  private static func begun() -> JSONWriter {
    var writer = JSONWriter.begunObject()
    writer.key("changes")
    writer.beginArray()
    return writer
  }
}
