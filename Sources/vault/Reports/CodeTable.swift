import VaultProtocol

/// The registry of status codes as text and as JSON.
enum CodeTable {
  static func text() -> String {
    StatusCode.registry.map { code, entry in
      """
      \(code.rawValue)  \(code.meaning)
            sent by:  \(entry.senders.map(\.rawValue).joined(separator: ", "))
            answers:  \(entry.requests.joined(separator: ", "))
            do:       \(entry.remedy)

      """
    }.joined(separator: "\n")
  }

  static func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("codes")
      writer.array { writer in
        for (code, entry) in StatusCode.registry {
          writer.beginLine()
          writer.object { write(code, entry, to: &$0) }
        }
        writer.endLine()
      }
    }
    writer.endLine()
    return writer.takeBytes()
  }

  private static func write(_ code: StatusCode, _ entry: StatusCode.Entry, to writer: inout JSONWriter) {
    writer.field("code", UInt64(code.rawValue))
    writer.field("meaning", code.meaning)
    writer.key("senders")
    writer.array { writer in
      for sender in entry.senders { writer.element(sender.rawValue) }
    }
    writer.key("requests")
    writer.array { writer in
      for request in entry.requests { writer.element(request) }
    }
    writer.field("remedy", entry.remedy)
  }
}
