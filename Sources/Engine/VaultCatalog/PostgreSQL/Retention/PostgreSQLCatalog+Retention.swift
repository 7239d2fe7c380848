import VaultModel

extension PostgreSQLCatalog {
  package func dropJobs(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    try write("dropping jobs") { connection throws(CatalogError) in try connection.dropJobs(numbers, at: now) }
  }

  package func retentionMarks() throws(CatalogError) -> RetentionMarks {
    try read("listing dropped jobs") { connection throws(CatalogError) in try connection.retentionMarks() }
  }

  package func reserveJobNumbers(through last: JobNumber) throws(CatalogError) {
    try write("reserving job numbers") { connection throws(CatalogError) -> Void in
      try connection.run(
        "UPDATE repository SET last_number = greatest(last_number, $1)", [.integer(connection.ordered(last))])
    }
  }

  package func isFreeing() throws(CatalogError) -> Bool {
    try read("looking for dropped jobs") { connection throws(CatalogError) in
      try connection.number("SELECT freeing FROM repository") ?? 0 != 0
    }
  }

  package func unneededVolumes() throws(CatalogError) -> [Volume] {
    try read("looking for free volumes") { connection throws(CatalogError) in try connection.unneededVolumes() }
  }

  package func neededSessions() throws(CatalogError) -> [NeededSession] {
    try read("listing sessions in use") { connection throws(CatalogError) in try connection.neededSessions() }
  }

  package func purgeVolumes(
    _ volumes: [UniqueIdentifier], recording touched: [Volume]
  ) throws(CatalogError) {
    try write("purging volumes") { connection throws(CatalogError) in
      try connection.purgeVolumes(volumes, recording: touched)
    }
  }

  package func finishFreeing() throws(CatalogError) {
    try write("forgetting purged volumes") { connection throws(CatalogError) in try connection.finishFreeing() }
  }
}
