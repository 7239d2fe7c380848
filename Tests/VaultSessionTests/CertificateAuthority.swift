import Glibc
import Testing
import VaultCrypto
import VaultModel
import VaultSystem

/// Certificates that the `openssl` command made, below a directory of their own.
final class CertificateAuthority: Sendable {
  let directory: String

  init() throws {
    var template = Array("/tmp/vault-certificates-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError.current("mkdtemp", "/tmp") }
    directory = String(cString: made)
    try authority("site")
    try authority("other")
  }

  deinit { _ = try? shell("rm -rf \(directory)") }

  private func authority(_ name: String) throws {
    try run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=\(name) authority'"
        + " -keyout \(name).key -out \(name).pem")
  }

  /// Makes `<file>.pem` and `<file>.key`.
  func issue(
    _ file: String, commonName: String, alternativeNames: String? = nil, by authority: String = "site",
    days: Int = 30
  ) throws {
    try run(
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=\(commonName)'"
        + " -keyout \(file).key -out \(file).csr")
    var sign = "openssl x509 -req -in \(file).csr -CA \(authority).pem -CAkey \(authority).key -CAcreateserial"
    sign += " -days \(days) -out \(file).pem"
    if let alternativeNames {
      try run("echo subjectAltName=\(alternativeNames) > \(file).ext")
      sign += " -extfile \(file).ext"
    }
    try run(sign)
  }

  func path(_ file: String) -> ByteString { ByteString("\(directory)/\(file)") }

  func certificates(
    _ file: String, key: String? = nil, authority: String? = "site", verifiesPeer: Bool = true
  ) -> TLSCertificates {
    TLSCertificates(
      certificatePath: path("\(file).pem"), keyPath: path("\(key ?? file).key"),
      authoritiesPath: authority.map { path("\($0).pem") }, verifiesPeer: verifiesPeer)
  }

  func run(_ command: String) throws {
    try #require(try shell("cd \(directory) && { \(command); } >log 2>&1") == 0, "\(command)")
  }
}

/// Runs a command line; blocks the thread.
@discardableResult
func shell(_ command: String) throws -> Int32 {
  let status = system(command)
  guard status >= 0 else { throw SystemError.current("system", command) }
  return status
}

/// What a command writes to both outputs, whatever it ends with.
func output(of command: String) async throws -> String {
  try await onThread(name: "command") {
    guard let pipe = popen("{ \(command); } 2>&1", "r") else { throw SystemError.current("popen", command) }
    defer { pclose(pipe) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { text += chunk[..<count] }
    return String(decoding: text, as: UTF8.self)
  }
}
