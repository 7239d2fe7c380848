import VaultCatalog
import VaultModel
import VaultProtocol

extension RetentionMarks {
  /// What the marks say as records, as many as their sequences need.
  var records: [[UInt8]] {
    trees.flatMap { retention in
      var records: [[UInt8]] = []
      var rest = retention
      repeat {
        var part = rest
        part.dropped = Array(rest.dropped.prefix(RetentionRecord.sequenceLimit))
        part.undone = Array(rest.undone.prefix(RetentionRecord.sequenceLimit - part.dropped.count))
        rest.dropped.removeFirst(part.dropped.count)
        rest.undone.removeFirst(part.undone.count)
        var writer = RecordWriter(capacity: 1024)
        writer.retention(RetentionRecord(lastNumber: lastNumber, retention: part))
        records.append(Array(writer.bytes))
      } while !rest.dropped.isEmpty || !rest.undone.isEmpty
      return records
    }
  }
}

extension [NeededSession] {
  /// The sessions as payloads of frames.
  var frames: [[UInt8]] {
    let perFrame = LocationCodec.neededSessionsPerFrame
    return stride(from: 0, to: count, by: perFrame).map { start in
      var writer = ByteWriter()
      for needed in self[start..<Swift.min(start + perFrame, count)] {
        LocationCodec.write(session: needed.session, lastGroup: needed.lastGroup, to: &writer)
      }
      return writer.array
    }
  }
}
