import VaultConfiguration
import VaultModel

/// A small right configuration of each role, and what is complained about in a changed one.
enum DaemonFixture {
  static let director = """
    Director { Name = d; Password = secret }
    Catalog { Name = c; DB Driver = sqlite }
    Client { Name = web1-fd; Address = web1; Password = secret }
    Storage { Name = s; Address = "::1"; Device = D1; Password = secret }
    Pool { Name = p; Storage = s }
    FileSet { Name = f; Include { File = /etc } }
    JobDefs { Name = defs; Type = Backup; FileSet = f; Pool = p; Priority = 3 }
    Job { Name = j; JobDefs = defs; Client = web1-fd }

    """
  static let storage = """
    Storage { Name = s }
    Director { Name = d; Password = secret }
    Device { Name = D1; Archive Device = /srv/d1 }

    """
  static let file = """
    Client { Name = web1-fd }
    Director { Name = d; Password = secret }

    """
  static let console = "Director { Name = d; Address = 10.0.0.1; Password = secret }\n"

  static func read<Configuration: DaemonConfiguration>(
    _ type: Configuration.Type, _ text: String, variables: [String: ByteString] = [:]
  ) throws(ConfigurationError) -> Configuration {
    let environment = ConfigurationFixture.environment(files: ["/x.conf": text], variables: variables)
    return try Configuration(file: "/x.conf", environment: environment)
  }

  /// What is complained about, a line each without the file's name; empty when nothing is.
  static func mistakes(_ role: ConfigurationRole, _ text: String) -> [String] {
    do throws(ConfigurationError) {
      let environment = ConfigurationFixture.environment(files: ["/x.conf": text])
      _ = try ResourceTable(file: "/x.conf", schema: role.schema, environment: environment)
      return []
    } catch {
      guard case .mistakes(let mistakes) = error.kind else { return [error.description] }
      return mistakes.map { String($0.description.dropFirst("/x.conf:".count)) }
    }
  }
}
