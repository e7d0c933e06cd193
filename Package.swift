// swift-tools-version: 6.2
//
// Weir: an operations console and an embedded engine for checkpointed stream processing.
//
// The targets stand in layers. A target depends only on targets of a lower layer; `Tests/LayeringTests` holds the
// arrows and the import lists.
//
//   L0  StreamModel  CellGrid  JSON  CNcurses  CPrefetch  CZlib  CChecksum  CTimer
//   L1  CheckpointCore  CheckpointStore  FlinkFormats  ControlProtocol  ConsoleCore   (pure, but for one POSIX file)
//       HostEnvironment  HTTPConnections                                       (clocks, directories, identity, threads; how HTTP clients are set up)
//   L2  Dataflow  ControlSocket  FlinkREST  FlinkSnapshots  SnapshotStorage  Ledger  CursesTerminal   (threads, sockets, files, the terminal)
//   L3  EngineHost  EngineClients  ConnectorConformance                        (jobs and their host; everything that reaches an engine)
//   L4  ConsoleApp                                                             (the console's event loop)
//   L5  CommandLineApp                                                         (the commands; some open the console)
//   L6  weir  weir-bench  weir-sim                                             (executables)
//
// `SimulationKit` is an ordinary target that stands under Tests/Support: the simulated machine, for weir-sim and the tests (L4).

import PackageDescription

/// Settings of every target of ours: the strict ones, and warnings as errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

/// HTTP and TLS, for Flink's REST API and the stores of snapshots.
let http: [Target.Dependency] =
    nio + [
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
    ]

let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"]),
        .executable(name: "weir-bench", targets: ["weir-bench"]),
        .executable(name: "weir-sim", targets: ["weir-sim"]),
        .library(name: "Dataflow", targets: ["Dataflow"]),
        .library(name: "ConnectorConformance", targets: ["ConnectorConformance"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // L0: nouns and cells. No imports.
        .target(name: "StreamModel", swiftSettings: strict),
        .target(name: "CellGrid", swiftSettings: strict),
        .target(name: "JSON", swiftSettings: strict),
        .systemLibrary(name: "CNcurses", providers: [.apt(["libncursesw5-dev"])]),
        .systemLibrary(name: "CPrefetch"),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CChecksum"),
        .systemLibrary(name: "CTimer"),

        // L1: pure cores.
        .target(name: "CheckpointCore", dependencies: ["StreamModel"], swiftSettings: strict),
        .target(name: "CheckpointStore", dependencies: ["StreamModel", "CChecksum"], swiftSettings: strict),
        .target(name: "FlinkFormats", dependencies: ["StreamModel"], swiftSettings: strict),
        .target(name: "ControlProtocol", dependencies: ["StreamModel", "CellGrid", "JSON"], swiftSettings: strict),
        .target(name: "HostEnvironment", dependencies: ["StreamModel", "CellGrid", "CTimer"], swiftSettings: strict),
        .target(name: "HTTPConnections", dependencies: ["StreamModel"] + http, swiftSettings: strict),
        .target(
            name: "ConsoleCore",
            dependencies: ["StreamModel", "CellGrid", .product(name: "TOMLKit", package: "TOMLKit")],
            swiftSettings: strict),

        // L2: edges.
        .target(
            name: "Dataflow", dependencies: ["StreamModel", "CheckpointCore", "CheckpointStore", "HostEnvironment", "CPrefetch", "CZlib"], swiftSettings: strict
        ),
        .target(name: "ControlSocket", dependencies: ["StreamModel", "ControlProtocol", "HostEnvironment"] + nio, swiftSettings: strict),
        .target(
            name: "FlinkREST",
            dependencies: ["StreamModel", "JSON", "HostEnvironment", "HTTPConnections", "CZlib", .product(name: "Crypto", package: "swift-crypto")] + http,
            swiftSettings: strict),
        .target(name: "FlinkSnapshots", dependencies: ["StreamModel", "FlinkFormats"], swiftSettings: strict),
        .target(
            name: "SnapshotStorage",
            dependencies: ["StreamModel", "JSON", "HostEnvironment", "HTTPConnections", .product(name: "Crypto", package: "swift-crypto")] + http,
            swiftSettings: strict),
        .target(
            name: "Ledger",
            dependencies: ["StreamModel", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .target(name: "CursesTerminal", dependencies: ["CellGrid", "CNcurses"], swiftSettings: strict),

        // L3: what third parties check their connectors with.
        .target(
            name: "ConnectorConformance", dependencies: ["StreamModel", "CheckpointStore", "Dataflow"], swiftSettings: strict),

        // L3: the host of jobs. It knows nothing of Flink.
        .target(
            name: "EngineHost",
            dependencies: [
                "StreamModel", "CellGrid", "CheckpointCore", "CheckpointStore", "ControlProtocol", "HostEnvironment", "Dataflow", "ControlSocket",
            ],
            swiftSettings: strict),

        // L3: everything that reaches an engine, for the console and the commands alike.
        .target(
            name: "EngineClients",
            dependencies: [
                "StreamModel", "CellGrid", "JSON", "ControlProtocol", "ConsoleCore", "HostEnvironment", "ControlSocket", "FlinkFormats", "FlinkREST",
                "FlinkSnapshots", "SnapshotStorage", "Ledger",
            ],
            swiftSettings: strict),

        // L4, L5: wiring.
        .target(
            name: "ConsoleApp",
            dependencies: [
                "StreamModel", "CellGrid", "ControlProtocol", "ConsoleCore", "HostEnvironment", "ControlSocket", "FlinkREST", "SnapshotStorage", "Ledger",
                "CursesTerminal",
                "EngineClients",
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: strict),
        .target(
            name: "CommandLineApp",
            dependencies: [
                "StreamModel", "CellGrid", "CheckpointCore", "CheckpointStore", "ControlProtocol", "ConsoleCore", "HostEnvironment", "Dataflow",
                "ControlSocket",
                "FlinkFormats", "FlinkREST", "FlinkSnapshots", "SnapshotStorage", "Ledger", "CursesTerminal", "EngineHost", "EngineClients", "ConsoleApp",
            ],
            swiftSettings: strict),
        .target(
            name: "SimulationKit",
            dependencies: ["StreamModel", "JSON", "CheckpointStore", "ControlProtocol", "ControlSocket", "Dataflow", "EngineHost"],
            path: "Tests/Support/SimulationKit",
            swiftSettings: strict),
        .target(
            name: "TestKit", dependencies: ["StreamModel", "CheckpointStore", "ControlProtocol", "ControlSocket"], path: "Tests/Support/TestKit",
            swiftSettings: strict),
        .target(name: "FlinkFake", dependencies: [] + http, path: "Tests/Support/FlinkFake", swiftSettings: strict),

        // L6: executables.
        .executableTarget(
            name: "weir",
            dependencies: [
                "StreamModel", "CellGrid", "ControlProtocol", "ConsoleCore", "HostEnvironment", "ControlSocket", "FlinkREST", "EngineHost", "EngineClients",
                "ConsoleApp", "CommandLineApp",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            // One file that runs where Swift is not installed, and starts without loading twenty libraries.
            linkerSettings: [
                .unsafeFlags(
                    ["-static-stdlib", "-use-ld=lld", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections", "-lCoreFoundation"],
                    .when(configuration: .release))
            ]),
        .executableTarget(
            name: "weir-bench",
            dependencies: [
                "StreamModel", "CellGrid", "CheckpointStore", "ControlProtocol", "Dataflow", "ControlSocket", "Ledger", "CursesTerminal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "weir-sim", dependencies: ["SimulationKit", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),

        // Tests. libvterm is their terminal emulator.
        .systemLibrary(name: "CVterm", path: "Tests/Support/CVterm", providers: [.apt(["libvterm-dev"])]),
        // Golden files stand beside the tests that own them and are found by path, not bundled.
        .testTarget(name: "StreamModelTests", dependencies: ["StreamModel"], swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(
            name: "CellGridTests", dependencies: ["CellGrid", "TestKit"], swiftSettings: strict),
        .testTarget(
            name: "CheckpointCoreTests", dependencies: ["CheckpointCore", "StreamModel"], exclude: ["Goldens"], swiftSettings: strict),
        .testTarget(
            name: "CheckpointStoreTests", dependencies: ["CheckpointStore", "StreamModel", "TestKit"], exclude: ["Goldens"], swiftSettings: strict),
        .testTarget(
            name: "DataflowTests", dependencies: ["Dataflow", "ConnectorConformance", "StreamModel", "CheckpointStore", "TestKit"], swiftSettings: strict),
        .testTarget(
            name: "ControlProtocolTests", dependencies: ["ControlProtocol", "JSON", "StreamModel", "TestKit"], exclude: ["Goldens"], swiftSettings: strict),
        .testTarget(
            name: "ControlSocketTests", dependencies: ["ControlSocket", "ControlProtocol", "StreamModel", "TestKit"] + nio, swiftSettings: strict),
        .testTarget(
            name: "FlinkFormatsTests", dependencies: ["FlinkFormats", "FlinkSnapshots", "StreamModel"], exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "FlinkRESTTests", dependencies: ["FlinkREST", "FlinkFake", "JSON", "StreamModel", "TestKit"], exclude: ["Certificates", "Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "SnapshotStorageTests",
            dependencies: [
                "SnapshotStorage", "FlinkFake", "FlinkFormats", "FlinkSnapshots", "EngineClients", "HostEnvironment", "JSON", "StreamModel", "TestKit",
            ],
            exclude: ["Harness/s3_servers.py"], swiftSettings: strict),
        .testTarget(
            name: "ConsoleCoreTests", dependencies: ["ConsoleCore", "EngineClients", "StreamModel", "CellGrid", "TestKit"], exclude: ["Goldens"],
            swiftSettings: strict),
        .testTarget(
            name: "CursesTerminalTests", dependencies: ["CursesTerminal", "CellGrid"], swiftSettings: strict),
        .testTarget(
            name: "LedgerTests", dependencies: ["Ledger", "StreamModel", "TestKit", .product(name: "GRDB", package: "GRDB.swift")], exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "EngineClientsTests",
            dependencies: [
                "EngineClients", "StreamModel", "CellGrid", "JSON", "ControlProtocol", "ConsoleCore", "HostEnvironment", "ControlSocket", "FlinkREST",
                "Ledger", "TestKit", "FlinkFake", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ConsoleAppTests",
            dependencies: [
                "ConsoleApp", "ConsoleCore", "CursesTerminal", "StreamModel", "CellGrid", "ControlSocket", "ControlProtocol", "FlinkREST", "SnapshotStorage",
                "Ledger", "HostEnvironment", "EngineClients", "CommandLineApp", "JSON", "TestKit", "CVterm", "weir",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EngineHostTests",
            dependencies: ["EngineHost", "TestKit", "Dataflow", "CheckpointStore", "ControlProtocol", "ControlSocket", "StreamModel"],
            swiftSettings: strict),
        .testTarget(
            name: "CommandLineAppTests",
            dependencies: [
                "CommandLineApp", "ConsoleCore", "EngineHost", "EngineClients", "HostEnvironment", "TestKit", "FlinkFake", "FlinkREST", "Ledger", "Dataflow",
                "ControlProtocol", "ControlSocket", "StreamModel", "weir", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["SimulationKit", "CheckpointStore", "StreamModel"], exclude: ["regressions.txt"],
            swiftSettings: strict),
        .testTarget(name: "LayeringTests", swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests", dependencies: ["StreamModel", "JSON", "ControlProtocol", "SimulationKit", "TestKit", "weir"],
            exclude: ["Harness/count_allocations.c", "Harness/set_clock.c"],
            swiftSettings: strict),
        .testTarget(
            name: "FlinkClusterTests", dependencies: ["StreamModel", "ControlProtocol", "EngineClients", "TestKit", "weir"],
            exclude: ["Harness/CountJob.java", "Harness/flink_cluster.py", "Harness/logging_proxy.py", "Harness/record_fixtures.py"], swiftSettings: strict),
    ]
)

// A sanitizer's build (Tests/sanitize) makes only the suites that it runs.
if let suites = Context.environment["WEIR_SUITES"]?.split(separator: ",").map(String.init) {
    package.targets.removeAll { $0.type == .test && !suites.contains($0.name) }
}
