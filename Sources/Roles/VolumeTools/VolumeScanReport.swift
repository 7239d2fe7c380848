/// What scanning volumes found, and what came of it.
package struct VolumeScanReport: Sendable {
  package struct VolumeLine: Sendable {
    package var name: String
    package var bytes: UInt64
    package var status: String
  }

  package var volumes: [VolumeLine] = []
  /// Jobs that the catalog has now, published or not.
  package var jobs = 0
  /// Everything worth telling, in plain words.
  package var notes: [String] = []
  package var foundDamage = false

  /// Notes damage.
  mutating func damaged(_ text: String) {
    notes.append(text)
    foundDamage = true
  }
}
