import Foundation
import TestKit
import Testing

// Goal: the package that "Getting started" tells to copy is the one in the article, and its sources compile against this engine.
// Method: text against text, and the compiler's check of types with the modules of this build; linking it all again would take minutes.

@Suite struct ExamplePackageTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let example = root.appending(path: "Tests/Examples/GettingStarted")
    /// Beside the test bundle.
    private static let modules = URL(filePath: CommandLine.arguments.first ?? "").deletingLastPathComponent().appending(path: "Modules").absoluteURL
    private static let compiler: String? = (Binaries.variable("PATH") ?? "").split(separator: ":").lazy.map { String($0) + "/swiftc" }.first {
        access($0, X_OK) == 0
    }

    @Test func `the article shows the files of the package`() throws {
        let article = try String(contentsOf: Self.root.appending(path: "Sources/Dataflow/Dataflow.docc/GettingStarted.md"), encoding: .utf8)
        let blocks = article.components(separatedBy: "<!-- from: ").dropFirst()
        #expect(blocks.count == 2)
        for block in blocks {
            let path = String(block.prefix { $0 != " " })
            let code = try #require(block.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
            let file = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
            #expect(file.contains(code), "\(path) does not contain: \(code)")
        }
    }

    @Test func `the package depends on the product that there is`() throws {
        let manifest = try String(contentsOf: Self.example.appending(path: "Package.swift"), encoding: .utf8)
        let own = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        #expect(manifest.contains(".product(name: \"Dataflow\", package: \"weir\")") && own.contains(".library(name: \"Dataflow\", targets: [\"Dataflow\"])"))
        let path = try #require(manifest.firstMatch(of: /path: "([^"]+)"/)).output.1
        #expect(Self.example.appending(path: String(path)).standardized.path == Self.root.standardized.path)
    }

    @Test(.enabled(if: compiler != nil, "needs swiftc")) func `its sources compile`() throws {
        let folder = Self.example.appending(path: "Sources/hot-sensors")
        let sources = try FileManager.default.contentsOfDirectory(atPath: folder.path).map { folder.appending(path: $0).path }
        let process = Process(), errors = Pipe()
        process.executableURL = URL(filePath: try #require(Self.compiler))
        process.arguments = ["-typecheck", "-swift-version", "6", "-module-name", "hot_sensors", "-I", Self.modules.path] + Self.systemModules + sources
        process.standardError = errors
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
    }

    /// The libraries of the system that the engine's modules name.
    private static let systemModules = ["CPrefetch", "CZlib", "CChecksum", "CTimer"].flatMap { name in
        ["-Xcc", "-fmodule-map-file=" + root.appending(path: "Sources/\(name)/module.modulemap").path]
    }
}
