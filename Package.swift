// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

/// A module of one layer; `layer` is its folder below Sources.
func module(_ name: String, in layer: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)", swiftSettings: settings)
}

/// The tests of one module, below Tests.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: settings)
}

/// A C library: module map and shim header below Sources/CLibraries.
func cLibrary(_ name: String, pkgConfig: String? = nil, apt: String? = nil) -> Target {
  .systemLibrary(
    name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig,
    providers: apt.map { [.apt([$0])] })
}

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// What digests contents side by side, where there is a library for the processor.
#if arch(x86_64)
  let multiBuffer = [cLibrary("CMultiBuffer", apt: "libipsec-mb-dev")]
#else
  let multiBuffer: [Target] = []
#endif

let cLibraries: [Target] =
  [
    cLibrary("COpenSSL", pkgConfig: "libssl", apt: "libssl-dev"),
    cLibrary("CPostgreSQL", pkgConfig: "libpq", apt: "libpq-dev"),
    cLibrary("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    cLibrary("CLZ4", pkgConfig: "liblz4", apt: "liblz4-dev"),
    cLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
    cLibrary("CXXHash", pkgConfig: "libxxhash", apt: "libxxhash-dev"),
    cLibrary("CLinux"),
  ] + multiBuffer

let base: [Target] = [
  module("VaultModel", in: "Base", []),
  module("VaultConfiguration", in: "Base", ["VaultModel", "VaultSystem", system]),
  module("VaultSystem", in: "Base", ["VaultModel", "CLinux", system]),
  module(
    "VaultCrypto", in: "Base", ["VaultModel", "COpenSSL", "CXXHash"] + multiBuffer.map { .target(name: $0.name) }),
  module("VaultCompression", in: "Base", ["VaultModel", "CLZ4", "CZstd"]),
]

let engine: [Target] = [
  module("VaultScheduler", in: "Engine", ["VaultModel", "VaultConfiguration"]),
  module("VaultProtocol", in: "Engine", ["VaultModel", "VaultCrypto", "VaultCompression"]),
  module(
    "VaultSession", in: "Engine",
    ["VaultModel", "VaultSystem", "VaultConfiguration", "VaultCrypto", "VaultProtocol", system]),
  module("VaultDevice", in: "Engine", ["VaultModel", "VaultSystem", "VaultCrypto", "VaultProtocol", system]),
  module("VaultFileSet", in: "Engine", ["VaultModel", "VaultSystem", "VaultProtocol", system]),
  module("VaultCatalog", in: "Engine", ["VaultModel", "VaultSystem", "CPostgreSQL", "CSQLite", system]),
  module("VaultMessages", in: "Engine", ["VaultModel", "VaultConfiguration", "VaultSystem", system]),
]

let roles: [Target] = [
  module(
    "Director", in: "Roles",
    [
      "VaultModel", "VaultSystem", "VaultConfiguration", "VaultCrypto", "VaultScheduler", "VaultProtocol",
      "VaultSession", "VaultMessages", "VaultCatalog",
    ]),
  module(
    "StorageDaemon", in: "Roles",
    [
      "VaultModel", "VaultSystem", "VaultConfiguration", "VaultCrypto", "VaultProtocol", "VaultSession",
      "VaultMessages", "VaultDevice",
    ]),
  module(
    "FileDaemon", in: "Roles",
    [
      "VaultModel", "VaultSystem", "VaultConfiguration", "VaultCrypto", "VaultCompression", "VaultProtocol",
      "VaultSession", "VaultMessages", "VaultFileSet",
    ]),
  module(
    "Console", in: "Roles",
    ["VaultModel", "VaultSystem", "VaultConfiguration", "VaultCrypto", "VaultProtocol", "VaultSession"]),
  module(
    "Local", in: "Roles",
    [
      "VaultModel", "VaultSystem", "VaultConfiguration", "VaultScheduler", "VaultProtocol", "VaultSession",
      "VaultCatalog", "VaultDevice", "VaultFileSet",
      "Director", "StorageDaemon", "FileDaemon", "Console", "VolumeTools",
    ]),
  module(
    "VolumeTools", in: "Roles",
    ["VaultModel", "VaultSystem", "VaultConfiguration", "VaultProtocol", "VaultCatalog", "VaultDevice", system]),
]

let program: [Target] = [
  .executableTarget(
    name: "vault",
    dependencies: [
      "VaultModel", "VaultConfiguration", "VaultSystem", "VaultScheduler", "VaultProtocol", "VaultSession",
      "VaultFileSet", "Director", "StorageDaemon", "FileDaemon", "Console", "Local", "VolumeTools", arguments,
    ], path: "Sources/vault", swiftSettings: settings)
]

let testTargets: [Target] = [
  tests("VaultDeviceTests", ["VaultDevice", "VaultProtocol", "VaultCrypto", "VaultSystem", "VaultModel", system]),
  tests("LocalTests", ["Local", "Console", "VaultModel", "VaultProtocol", "VaultSystem"]),
  tests(
    "DirectorTests",
    ["Director", "VaultCatalog", "VaultModel", "VaultProtocol", "VaultScheduler", "VaultSession", "VaultSystem"]),
  tests(
    "StorageDaemonTests",
    ["StorageDaemon", "VaultDevice", "VaultModel", "VaultProtocol", "VaultSession", "VaultSystem"]),
  tests(
    "FileDaemonTests",
    ["FileDaemon", "VaultCrypto", "VaultFileSet", "VaultModel", "VaultProtocol", "VaultSession", "VaultSystem"]),
  tests("VaultControlTests", ["VaultProtocol", "VaultModel"]),
  tests(
    "VaultSessionTests",
    ["VaultSession", "VaultConfiguration", "VaultCrypto", "VaultProtocol", "VaultModel", "VaultSystem", system]),
  tests("VaultFileSetTests", ["VaultFileSet", "VaultModel", "VaultSystem"]),
  tests("VaultModelTests", ["VaultModel"]),
  tests("VaultCompressionTests", ["VaultCompression"]),
  tests("VaultCryptoTests", ["VaultCrypto", "VaultModel"]),
  tests("VaultSystemTests", ["VaultModel", "VaultSystem", system]),
  tests("vaultTests", ["vault", "Console", "Local", "VaultModel", "VaultScheduler", "VaultSystem"]),
  tests("VaultProtocolTests", ["VaultProtocol", "VaultCrypto", "VaultModel"]),
  tests("VaultCatalogTests", ["VaultCatalog", "VaultModel", "VaultSystem"]),
  tests("VaultConfigurationTests", ["VaultConfiguration", "VaultModel"]),
  tests("VaultSchedulerTests", ["VaultScheduler", "VaultConfiguration", "VaultModel"]),
]

/// Measurements of single parts; `make bench` builds it, and nothing ships it.
let benchTargets: [Target] = [
  .executableTarget(
    name: "VaultBench",
    dependencies: [
      "VaultModel", "VaultSystem", "VaultCrypto", "VaultCompression", "VaultProtocol", "VaultFileSet", "VaultDevice",
      "VaultCatalog", system,
    ], path: "bench/Micro", swiftSettings: settings)
]

/// The fuzz entry is built only where `--sanitize=fuzzer` is: libFuzzer brings its own main.
let fuzzTargets: [Target] =
  Context.environment["VAULT_FUZZ"] == nil
  ? []
  : [
    .executableTarget(
      name: "FormatFuzz",
      dependencies: ["VaultConfiguration", "VaultCrypto", "VaultDevice", "VaultModel", "VaultProtocol"],
      path: "Tests/Fuzz",
      exclude: ["Corpus"], swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
  ]

let package = Package(
  name: "vault",
  products: [.executable(name: "vault", targets: ["vault"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: cLibraries + base + engine + roles + program + testTargets + benchTargets + fuzzTargets
)
