import Testing
import VaultModel
import VaultProtocol

@Suite struct ExtendedAttributeListTests {
  private static func read(_ list: [UInt8]) throws(FormatError) -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    let error: FormatError? = list.withUnsafeBytes { list in
      do throws(FormatError) {
        try ExtendedAttributeList.read(list) { name, value in
          found[String(decoding: name, as: UTF8.self)] = Array(value)
        }
      } catch { return error }
      return nil
    }
    if let error { throw error }
    return found
  }

  private static func list(_ attributes: [(name: String, value: [UInt8])]) -> [UInt8] {
    var writer = ByteWriter()
    for (name, value) in attributes {
      Array(name.utf8).withUnsafeBytes { name in
        value.withUnsafeBytes { ExtendedAttributeList.append(name: name, value: $0, to: &writer) }
      }
    }
    return writer.array
  }

  @Test func theBytesAreTheManuals() throws {
    #expect(Self.list([("user.a", Array("hello".utf8)), ("user.b", [])]) == Golden.extendedList)
    #expect(try Self.read(Golden.extendedList) == ["user.a": Array("hello".utf8), "user.b": []])
  }

  @Test func theLargestValueAndName() throws {
    let name = "user." + String(repeating: "n", count: 250)
    let value = [UInt8](repeating: 7, count: 65_536)
    #expect(try Self.read(Self.list([(name, value)])) == [name: value])
    #expect(throws: FormatError.self) { try Self.read(Self.list([(name, value + [1])])) }
    #expect(throws: FormatError.self) { try Self.read(Self.list([(name + "n", [])])) }
  }

  @Test func namesAscend() {
    #expect(throws: FormatError.self) { try Self.read(Self.list([("b", []), ("a", [])])) }
    #expect(throws: FormatError.self) { try Self.read(Self.list([("a", []), ("a", [])])) }
    #expect(throws: FormatError.self) { try Self.read(Self.list([("", [])])) }
    #expect(throws: FormatError.self) { try Self.read(Self.list([("a\0b", [])])) }
  }

  @Test func everyTruncationIsRefused() {
    let list = Golden.extendedList
    // Between two attributes a list may end.
    for count in 1..<list.count where count != 19 {
      #expect(throws: FormatError.self, "the first \(count) bytes") { try Self.read(Array(list[..<count])) }
    }
  }
}
