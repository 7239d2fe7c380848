import ArgumentParser
import VaultConfiguration
import VaultModel
import VaultScheduler

/// Reads option values that the parser does not know, each with a complaint of its own.
enum OptionText {
  static func volumeSize(_ text: String) throws -> UInt64 {
    let range = RepositoryConfiguration.volumeSizeRange
    let size = try byteCount(text)
    guard range.contains(size) else {
      throw ValidationError(
        "a volume holds from \(SizeText.render(range.lowerBound)) to \(SizeText.render(range.upperBound))")
    }
    return size
  }

  static func byteCount(_ text: String) throws -> UInt64 {
    guard let size = SizeText.parse(text), size > 0 else {
      throw ValidationError("expected a size such as 10G, 4095 MiB or 500 MB")
    }
    return size
  }

  /// What a resource may be called.
  static func resourceName(_ text: String) throws -> String {
    guard let name = ArgumentBytes.bytes(text).text, ValueKind.isName(name) else {
      throw ValidationError("expected a name of 1 to 127 bytes without control characters")
    }
    return name
  }

  static func seconds(_ text: String) throws -> UInt32 {
    guard let seconds = UInt32(text), (1...86_400).contains(seconds) else {
      throw ValidationError("expected seconds from 1 to 86400")
    }
    return seconds
  }

  static func compression(_ text: String) throws -> Compression {
    guard let compression = Compression(reading: text) else {
      throw ValidationError("expected \(Compression.expectation)")
    }
    return compression
  }

  static func count(_ text: String) throws -> UInt32 {
    guard let count = UInt32(text), count > 0 else { throw ValidationError("expected a number from 1") }
    return count
  }

  static func duration(_ text: String) throws -> UInt64 {
    guard let seconds = DurationText.parse(text, bareUnit: .none), seconds > 0 else {
      throw ValidationError("expected a duration such as 30d, 12 hours or 2 weeks")
    }
    return seconds
  }

  static func job(_ text: String) throws -> JobNumber {
    guard let job = JobNumber(text), job > 0 else {
      throw ValidationError("expected a job's number, as vault local jobs lists it")
    }
    return job
  }

  static func time(_ text: String) throws -> TimeExpression {
    do throws(TimeExpressionError) {
      return try TimeExpression(reading: text)
    } catch {
      throw ValidationError(error.description)
    }
  }
}
