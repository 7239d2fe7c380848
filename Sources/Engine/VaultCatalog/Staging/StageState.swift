/// What a row of `stage` is.
enum StageState {
  /// An entry whose content has no seal yet.
  static let unsealed: Int64 = 0
  /// An entry that publishing makes visible.
  static let entry: Int64 = 1
  static let deletion: Int64 = 2
  /// An entry that equals the current row: inside a publishing transaction only.
  static let unchanged: Int64 = 3
}
