/// A number with its unit, as people write sizes and durations: `10G`, `4095 MiB`, `1.5 g`, `30 days`.
struct Quantity {
  /// Digits before the point.
  let whole: UInt64
  /// Digits behind the point, as a numerator over `fractionScale`.
  let fraction: UInt64
  let fractionScale: UInt64
  /// The letters behind the number, in lower case; empty when there are none.
  let unit: String

  /// Takes a quantity from the front of `text`, white space around it included.
  ///
  /// - Bounds: at most nine digits behind the point.
  static func take(from text: inout Substring.UTF8View) -> Quantity? {
    skipSpace(&text)
    guard let whole = digits(&text) else { return nil }
    var fraction: UInt64 = 0
    var scale: UInt64 = 1
    if text.first == UInt8(ascii: ".") {
      text.removeFirst()
      let before = text.count
      guard let value = digits(&text), before - text.count <= 9 else { return nil }
      fraction = value
      for _ in 0..<(before - text.count) { scale *= 10 }
    }
    skipSpace(&text)
    var unit = ""
    while let byte = text.first, Self.isLetter(byte), unit.utf8.count < 16 {
      unit.unicodeScalars.append(UnicodeScalar(byte | 0x20))
      text.removeFirst()
    }
    skipSpace(&text)
    return Quantity(whole: whole, fraction: fraction, fractionScale: scale, unit: unit)
  }

  /// The quantity in a unit of `factor`, rounded down; nil when it is too large.
  func times(_ factor: UInt64) -> UInt64? {
    let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    let part = fractionScale.dividingFullWidth(fraction.multipliedFullWidth(by: factor)).quotient
    let (sum, carried) = product.addingReportingOverflow(part)
    return carried ? nil : sum
  }

  private static func skipSpace(_ text: inout Substring.UTF8View) {
    while text.first == 0x20 || text.first == 0x09 { text.removeFirst() }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func digits(_ text: inout Substring.UTF8View) -> UInt64? {
    var value: UInt64?
    while let byte = text.first, (0x30...0x39).contains(byte) {
      let (product, overflow) = (value ?? 0).multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(UInt64(byte - 0x30))
      guard !overflow, !carried else { return nil }
      value = sum
      text.removeFirst()
    }
    return value
  }
}
