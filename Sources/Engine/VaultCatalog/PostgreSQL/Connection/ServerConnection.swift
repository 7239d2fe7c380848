import CPostgreSQL
import Glibc
import VaultSystem

/// An open connection to a PostgreSQL server; used by one thread at a time.
struct ServerConnection: ~Copyable {
  private let handle: OpaquePointer

  /// Connects and logs in.
  ///
  /// - Throws: `.unreachable` when the server is not there, `.refused` when it does not want us.
  init(
    _ settings: [(keyword: String, value: String)], timeout: Duration, clock: any VaultClock
  ) throws(CatalogError) {
    let keywords = CStringArray(settings.map(\.keyword))
    let values = CStringArray(settings.map(\.value))
    guard let opened = PQconnectStartParams(keywords.pointers, values.pointers, 0) else {
      throw CatalogError(.server("out of memory"), "there is no memory for a connection")
    }
    // With its code, a refusal can be told from a server that is away.
    PQsetErrorVerbosity(opened, PQERRORS_VERBOSE)
    do throws(CatalogError) {
      try Self.finishConnecting(opened, timeout: timeout, clock: clock)
    } catch {
      PQfinish(opened)
      throw error
    }
    PQsetErrorVerbosity(opened, PQERRORS_DEFAULT)
    PQsetNoticeProcessor(opened, { _, _ in }, nil)
    handle = opened
  }

  deinit { PQfinish(handle) }

  private static func finishConnecting(
    _ handle: OpaquePointer, timeout: Duration, clock: any VaultClock
  ) throws(CatalogError) {
    let start = clock.monotonicNanoseconds()
    var wanted = PGRES_POLLING_WRITING
    while PQstatus(handle) != CONNECTION_BAD {
      let elapsed = Duration.nanoseconds(Int64(clamping: clock.monotonicNanoseconds() &- start))
      guard elapsed < timeout else { throw CatalogError(.unreachable, "the server did not answer in time") }
      var descriptor = pollfd(
        fd: PQsocket(handle), events: Int16(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), revents: 0)
      guard poll(&descriptor, 1, 1000) != 0 else { continue }
      wanted = PQconnectPoll(handle)
      if wanted == PGRES_POLLING_OK { return }
      if wanted == PGRES_POLLING_FAILED { break }
    }
    throw .connecting(String(cString: PQerrorMessage(handle)))
  }

  /// Whether the server is gone, as far as the last statement told.
  var isBroken: Bool { PQstatus(handle) != CONNECTION_OK }

  /// Whether no transaction is open.
  var isIdle: Bool { PQtransactionStatus(handle) == PQTRANS_IDLE }

  /// The server's process for this connection.
  var backend: Int64 { Int64(PQbackendPID(handle)) }

  /// Runs one statement; what it returns is in binary form.
  func query(_ sql: String, _ values: [ServerValue]) throws(CatalogError) -> ServerResult {
    let encoded = values.map(\.encoded)
    var types = values.map(\.type)
    var lengths = encoded.map { Int32(clamping: $0?.count ?? 0) }
    var formats = [Int32](repeating: 1, count: values.count)
    // One buffer holds all values; an empty value needs an address, too, else it were a null.
    var buffer: [UInt8] = []
    for value in encoded { buffer += value ?? [] }
    buffer.append(0)
    let result = buffer.withUnsafeBytes { bytes in
      var offset = 0
      var pointers: [UnsafePointer<CChar>?] = []
      for value in encoded {
        pointers.append(
          value == nil ? nil : bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self))
        offset += value?.count ?? 0
      }
      return PQexecParams(handle, sql, Int32(values.count), &types, &pointers, &lengths, &formats, 1)
    }
    return ServerResult(adopting: try checked(result, PGRES_TUPLES_OK, PGRES_COMMAND_OK))
  }

  /// Sends one statement without parameters; `receive` returns what comes of it, and nothing else may be run before.
  func send(_ sql: String) throws(CatalogError) {
    guard PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1) == 1 else { throw lost() }
  }

  /// What a statement that was sent returns, in binary form.
  func receive() throws(CatalogError) -> ServerResult {
    let result = PQgetResult(handle)
    while let more = PQgetResult(handle) { PQclear(more) }
    return ServerResult(adopting: try checked(result, PGRES_TUPLES_OK))
  }

  /// Runs statements whose results are of no interest.
  func execute(_ script: String) throws(CatalogError) {
    PQclear(try checked(PQexec(handle, script), PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY))
  }

  /// Ends the transaction for good.
  ///
  /// - Throws: `.server` when the server undid it instead.
  func commit() throws(CatalogError) {
    let result = try checked(PQexec(handle, "COMMIT"), PGRES_COMMAND_OK)
    defer { PQclear(result) }
    guard String(cString: PQcmdStatus(result)) == "COMMIT" else {
      throw CatalogError(.server("25P02"), "the server undid the transaction")
    }
  }

  /// Sends rows to a `COPY … FROM STDIN`; `feed` gets what takes their bytes.
  func copy(
    _ sql: String, _ feed: ((UnsafeRawBufferPointer) throws(CatalogError) -> Void) throws(CatalogError) -> Void
  ) throws(CatalogError) {
    PQclear(try checked(PQexec(handle, sql), PGRES_COPY_IN))
    var failure: CatalogError?
    do throws(CatalogError) {
      try feed { bytes throws(CatalogError) in
        let characters = bytes.assumingMemoryBound(to: CChar.self)
        guard PQputCopyData(handle, characters.baseAddress, Int32(clamping: bytes.count)) == 1 else { throw lost() }
      }
    } catch { failure = error }
    PQputCopyEnd(handle, failure == nil ? nil : "stopped")
    while let result = PQgetResult(handle) {
      defer { PQclear(result) }
      guard failure == nil, PQresultStatus(result) != PGRES_COMMAND_OK else { continue }
      failure = error(result)
    }
    if let failure { throw failure }
    if isBroken { throw lost() }
  }

  /// The password as a verifier that can be stored, so that it travels in no statement.
  func verifier(ofPassword password: String, user: String) throws(CatalogError) -> String {
    guard let text = PQencryptPasswordConn(handle, password, user, "scram-sha-256") else { throw lost() }
    defer { PQfreemem(text) }
    return String(cString: text)
  }

  /// Breaks the connection, as a server that dies does.
  func sever() { shutdown(PQsocket(handle), Int32(SHUT_RDWR)) }

  private func checked(_ result: OpaquePointer?, _ wanted: ExecStatusType...) throws(CatalogError) -> OpaquePointer {
    guard let result else { throw lost() }
    guard !wanted.contains(PQresultStatus(result)) else { return result }
    defer { PQclear(result) }
    throw error(result)
  }

  private func error(_ result: OpaquePointer) -> CatalogError {
    func field(_ code: Character) -> String? {
      PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
    }
    guard let state = field("C") else { return lost() }
    return .server(state, field("M") ?? "", detail: field("D"), isBroken: isBroken)
  }

  /// The error for what libpq itself could not do; the connection is broken from then on.
  ///
  /// libpq does not call it so when a statement could not be sent and the server had said something before it went.
  private func lost() -> CatalogError {
    let message = String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline).first.map { String($0) }
    sever()
    while PQstatus(handle) == CONNECTION_OK, PQconsumeInput(handle) == 1 {}
    return CatalogError(.unreachable, message ?? "the connection was lost")
  }
}

/// Strings for C: an array of their addresses, ended by a null.
private final class CStringArray {
  private var owned: [UnsafeMutablePointer<CChar>?]
  private let array: UnsafeMutablePointer<UnsafePointer<CChar>?>

  init(_ strings: [String]) {
    owned = strings.map { strdup($0) }
    array = .allocate(capacity: strings.count + 1)
    for (index, string) in owned.enumerated() { (array + index).initialize(to: string.map { UnsafePointer($0) }) }
    (array + strings.count).initialize(to: nil)
  }

  deinit {
    for string in owned { free(string) }
    array.deallocate()
  }

  var pointers: UnsafePointer<UnsafePointer<CChar>?> { UnsafePointer(array) }
}
