import Glibc
import VaultModel
import VaultSystem

extension ConfigurationEnvironment {
  /// The files and the environment variables of this process.
  package static let system = ConfigurationEnvironment(
    read: { path, limit in
      do throws(SystemError) {
        return try DurableFiles.readRegular(path, limit: limit)
      } catch {
        throw FileComplaint(error)
      }
    },
    list: { directory in
      do throws(SystemError) {
        return try DurableFiles.names(in: directory).map { ByteString($0) }
      } catch {
        throw FileComplaint(error)
      }
    },
    variable: { name in getenv(name).map { ByteString(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } })

  /// The reason alone: whoever asked names the file.
  private struct FileComplaint: Error, CustomStringConvertible {
    let description: String

    init(_ error: SystemError) {
      description =
        switch error.errno {
        case .fileTooLarge: "it is larger than \(ConfigurationLimits.bytes) bytes"
        case .invalidArgument: "it is not a regular file"
        default: error.errno.description
        }
    }
  }
}
