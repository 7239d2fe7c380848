/// A place's clock: how far it is from UTC at any instant.
package struct LocalTimeZone: Sendable {
  /// Seconds east of Greenwich that are in force at an instant, given in seconds since 1970-01-01T00:00:00Z.
  package let offsetSeconds: @Sendable (_ secondsSinceEpoch: Int64) -> Int64

  package init(offsetSeconds: @escaping @Sendable (Int64) -> Int64) { self.offsetSeconds = offsetSeconds }

  /// The clock in Greenwich, winter and summer.
  package static let utc = LocalTimeZone { _ in 0 }

  /// What the clock shows at an instant: the seconds since 1970-01-01T00:00:00 on that clock.
  package func localSeconds(at secondsSinceEpoch: Int64) -> Int64 {
    secondsSinceEpoch + offsetSeconds(secondsSinceEpoch)
  }

  /// The last instant at which the clock shows `localSeconds`: of an hour that comes twice, the second one.
  ///
  /// A time that the clock skips, when summer time begins, gives the last second before the jump. Offsets are taken to
  /// change at most once within two days on either side.
  package func lastInstant(showing localSeconds: Int64) -> Int64 {
    let halfDay: Int64 = 43_200
    let offsets = (-4...4).map { offsetSeconds(localSeconds + $0 * halfDay) }
    let candidates = Set(offsets).map { localSeconds - $0 }.filter { self.localSeconds(at: $0) == localSeconds }
    if let last = candidates.max() { return last }
    return lastInstant(beforeShowing: localSeconds, offsets: offsets)
  }

  /// Looks for the jump over `localSeconds`: before it the clock shows less, from it on more.
  private func lastInstant(beforeShowing localSeconds: Int64, offsets: [Int64]) -> Int64 {
    var before = localSeconds - (offsets.max() ?? 0) - 1
    var after = localSeconds - (offsets.min() ?? 0) + 1
    while after - before > 1 {
      let middle = before + (after - before) / 2
      if self.localSeconds(at: middle) < localSeconds { before = middle } else { after = middle }
    }
    return before
  }
}
