import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Takes into the catalog what an interrupted attempt committed and the catalog never heard of.
struct CommitReplay: Sendable {
  let director: Director
  let storage: Channel

  /// - Returns: whether the job had ended on its volume: it is published now.
  func catchUp(with job: JobRecord) async throws -> Bool {
    let (catalog, place, storage) = (director.catalog, director.place, storage)
    let number = job.description.number
    var request = ControlLine("replay", words: [ByteString(job.description.session.text)])
    request.set("last-commit", job.lastCommit)
    let lastGroup = try await onThread(name: "vault-catalog") { () -> GroupLocation? in
      guard job.lastCommit > 0 else { return nil }
      let next = try catalog.resumePoint(of: number).nextGroup
      return try catalog.locations(of: job.description.session, groups: (next - 1)...(next - 1)).last
    }
    if let lastGroup { request.set("last-group", LocationCodec.field(lastGroup)) }
    try await storage.request(request, expecting: .storageOK)
    return try await onThread(name: "vault-commits") {
      let receiver = CommitReceiver(channel: storage, catalog: catalog, place: place)
      var isPublished = false
      while true {
        let (kind, payload) = try receiver.receive()
        switch kind {
        case .commit: try receiver.stage(try CommitFrame(decoding: payload), of: number)
        case .jobRecord:
          var reader = RecordReader(payload)
          guard case .jobEnd(let outcome)? = try reader.next(), outcome.status.isPublished else { continue }
          try catalog.publish(number, outcome: outcome)
          isPublished = true
        case .endOfCommits: return isPublished
        default: throw receiver.unexpected(kind)
        }
      }
    }
  }
}
