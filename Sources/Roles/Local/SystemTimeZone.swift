import Glibc
import VaultScheduler

extension LocalTimeZone {
  /// The time zone that the environment or the system sets. The corresponding C function is `localtime_r`.
  package static let system: LocalTimeZone = {
    tzset()
    return LocalTimeZone { seconds in
      var time = time_t(seconds)
      var fields = tm()
      return localtime_r(&time, &fields) == nil ? 0 : Int64(fields.tm_gmtoff)
    }
  }()
}
