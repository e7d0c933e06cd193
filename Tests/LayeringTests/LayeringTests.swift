import Foundation
import Testing

// Goal: the arrows between the targets and the import lists stay as the layout says. Method: read Package.swift and the sources as text.
// Every rule is a function from text to complaints, so that a counter-example shows that it can complain.

/// A target depends only on targets of a lower layer.
let layers: [String: Int] = [
    "StreamModel": 0, "CellGrid": 0, "JSON": 0, "CNcurses": 0, "CPrefetch": 0, "CZlib": 0, "CChecksum": 0, "CTimer": 0, "CVterm": 0,
    "CheckpointCore": 1, "CheckpointStore": 1, "FlinkFormats": 1, "ControlProtocol": 1, "ConsoleCore": 1, "HostEnvironment": 1, "HTTPConnections": 1,
    "Dataflow": 2, "ControlSocket": 2, "FlinkREST": 2, "FlinkSnapshots": 2, "SnapshotStorage": 2, "Ledger": 2, "CursesTerminal": 2,
    "EngineHost": 3, "EngineClients": 3, "ConnectorConformance": 3, "FlinkFake": 3, "TestKit": 3,
    "ConsoleApp": 4, "SimulationKit": 4,
    "CommandLineApp": 5,
    "weir": 6, "weir-bench": 6, "weir-sim": 6,
]

/// System libraries, each with the targets that may import it.
let systemLibraries: [String: Set<String>] = [
    "CNcurses": ["CursesTerminal"], "CPrefetch": ["Dataflow"], "CZlib": ["Dataflow", "FlinkREST"], "CChecksum": ["CheckpointStore"],
    "CTimer": ["HostEnvironment"], "CVterm": ["ConsoleAppTests"],
]

/// What each target may import besides our own targets. `CheckpointStore` reaches the system in one file only.
let outsideImports: [String: Set<String>] = [
    "StreamModel": [], "CellGrid": [], "JSON": [], "HostEnvironment": ["Glibc", "Synchronization"],
    "CheckpointCore": [], "CheckpointStore": ["Synchronization", "Glibc"], "FlinkFormats": [], "ControlProtocol": ["FoundationEssentials"],
    "ConsoleCore": ["TOMLKit"],
    "Dataflow": ["Synchronization", "Glibc", "FoundationEssentials"],
    "ControlSocket": ["NIOCore", "NIOPosix", "Synchronization", "Glibc", "Dispatch", "FoundationEssentials"],
    "HTTPConnections": ["AsyncHTTPClient", "NIOCore", "Synchronization"],
    "FlinkREST": ["AsyncHTTPClient", "Crypto", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Synchronization", "Glibc", "Dispatch", "FoundationEssentials"],
    "FlinkSnapshots": ["Glibc"],
    "SnapshotStorage": ["AsyncHTTPClient", "Crypto", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Synchronization", "Glibc", "FoundationEssentials"],
    "Ledger": ["GRDB", "FoundationEssentials", "Glibc", "Synchronization"],
    "CursesTerminal": ["Glibc", "Synchronization"],
    "ConnectorConformance": [],
    "EngineHost": ["FoundationEssentials", "Glibc", "Synchronization", "Dispatch"],
    "EngineClients": ["FoundationEssentials", "Synchronization", "Dispatch"],
    "CommandLineApp": ["FoundationEssentials", "Glibc", "Synchronization", "Dispatch"],
    "ConsoleApp": ["FoundationEssentials", "Glibc", "Synchronization", "Dispatch", "TOMLKit"],
    "weir": ["ArgumentParser", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization"],
    "weir-bench": ["ArgumentParser", "FoundationEssentials", "Glibc", "Dispatch"],
    "SimulationKit": ["Glibc"],
    "TestKit": ["FoundationEssentials", "Glibc", "Dispatch", "Synchronization", "Testing"],
    "FlinkFake": ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Synchronization", "Glibc"],
    "weir-sim": ["ArgumentParser", "Glibc", "Synchronization"],
]

enum Rules {
    /// Dependencies of our own targets on each other, from the text of a manifest.
    static func arrows(inManifest manifest: String) -> [(from: String, to: String)] {
        var arrows: [(String, String)] = []
        let pattern = /\.(?:executableTarget|target)\(\s*name:\s*"([^"]+)"(?:,\s*dependencies:\s*\[([^\]]*)\])?/
        let ours = manifest.replacing(/\.product\([^)]*\)/, with: "")
        for match in ours.matches(of: pattern) {
            let name = String(match.output.1)
            for dependency in (match.output.2.map(String.init) ?? "").matches(of: /(?:^|[,\[\s])"([A-Za-z0-9-]+)"/) {
                arrows.append((name, String(dependency.output.1)))
            }
        }
        return arrows
    }

    static func complaints(aboutArrows arrows: [(from: String, to: String)]) -> [String] {
        arrows.compactMap { from, to in
            guard let fromLayer = layers[from], let toLayer = layers[to] else { return "\(from) -> \(to): not in the table of layers" }
            return toLayer < fromLayer ? nil : "\(from) (L\(fromLayer)) must not depend on \(to) (L\(toLayer))"
        }
    }

    static func imports(in source: String) -> [String] {
        source.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
            guard line.contains("import "),
                let match = line.firstMatch(
                    of: /^(?:@[a-zA-Z_]+(?:\([^)]*\))? )*(?:public |internal |package |private )?import (?:struct |class |func |enum )?([A-Za-z0-9]+)/)
            else { return nil }
            return String(match.output.1)
        }
    }

    static func complaints(aboutImports names: [String], target: String, file: String) -> [String] {
        names.compactMap { name in
            if let owners = systemLibraries[name] { return owners.contains(target) ? nil : "\(file): \(target) must not import \(name)" }
            if let layer = layers[name] {
                return layer < layers[target] ?? 0 ? nil : "\(file): \(target) must not import \(name)"
            }
            return outsideImports[target]?.contains(name) == true ? nil : "\(file): \(target) must not import \(name)"
        }
    }

    /// Pure layers have no clock, no randomness and no I/O of their own.
    static func impurities(in source: String, file: String) -> [String] {
        ["ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", ".random(", "Date()", "FileManager", "clock_gettime", "Task {"]
            .filter { source.contains($0) }.map { "\(file): \($0) in a pure layer" }
    }

    /// House rules that hold for every source file.
    /// A comment names an error by its number (`ENOENT`) or by its type (`StoreError`, `SmallFile.Failure`, the tests' `Broken`).
    private static func namesAnError(_ line: Substring) -> Bool {
        guard let comment = line.firstRange(of: "//") else { return false }
        return line[comment.upperBound...].contains(/\b(E[A-Z]{3,}|[A-Z]\w*(Error|Failure|Refusal)|Failure|Broken)\b/.wordBoundaryKind(.simple))
    }

    static func manners(in source: String, file: String) -> [String] {
        var complaints: [String] = []
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 900 { complaints.append("\(file): \(lines.count) lines; one subject, or several?") }
        for (index, line) in lines.enumerated() {
            if line.contains("try?"), line.contains(/\btry\?/), !namesAnError(line), index == 0 || !namesAnError(lines[index - 1]) {
                complaints.append("\(file):\(index + 1): try? without a comment that names the errors that are expected")
            }
            for word in ["TO" + "DO", "FIX" + "ME"] where line.contains(word) { complaints.append("\(file):\(index + 1): \(word)") }
        }
        let name = (file as NSString).lastPathComponent
        for word in ["Utils", "Utilities", "Helper", "Common", "Misc", "Extension"] where name.contains(word) { complaints.append("\(file): says nothing") }
        return complaints
    }

    /// Imports that the target's own declaration does not name: SwiftPM finds such a module by luck only.
    static func undeclared(imports names: [String], of target: String, inManifest manifest: String) -> [String] {
        // Declarations begin with `.target(` or `.executableTarget(`; every one ends with its settings.
        guard
            let declaration = manifest.matches(of: /arget\(\s*name: "([^"]+)".*?swiftSettings/.dotMatchesNewlines()).first(where: { $0.output.1 == target })?
                .output.0
        else { return ["\(target): not declared in Package.swift"] }
        let toolchain: Set = ["Glibc", "Synchronization", "Dispatch", "FoundationEssentials", "Testing"]
        return Set(names).subtracting(toolchain).sorted().compactMap { name in
            if declaration.contains("\"\(name)\"") || name.hasPrefix("NIO") && declaration.contains("+ nio")
                || ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "AsyncHTTPClient"].contains(name) && declaration.contains("+ http")
            {
                return nil
            }
            return "\(target) imports \(name) and does not declare it"
        }
    }

    /// Places of the machine that somebody works on. Written in halves, so that this file passes.
    static func machinePaths(in text: String, file: String) -> [String] {
        ["/wo" + "rk/", "/ro" + "ot/", "/tmp/w" + "/"].filter { text.contains($0) }.map { "\(file): names \($0)" }
    }

    /// Targets of the Markdown links that lead into the repository, and names of the articles that are linked to.
    static func links(in article: String) -> (files: [String], articles: [String]) {
        let files = article.matches(of: /\]\(([^)#]+)\)/).map { String($0.output.1) }.filter { !$0.contains("://") }
        return (files, article.matches(of: /<doc:([A-Za-z]+)>/).map { String($0.output.1) })
    }
}

@Suite struct LayeringTests {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Path below Sources (below Tests/Support for the one target that stands there), and text, of every source file.
    func sources() throws -> [(target: String, file: String, text: String)] {
        let folder = root.appending(path: "Sources")
        let paths = try #require(FileManager.default.subpaths(atPath: folder.path)).filter { $0.hasSuffix(".swift") }.sorted()
        #expect(paths.count > 100, "the sources are not where they should be")
        let support = root.appending(path: "Tests/Support")
        let supportPaths = try #require(FileManager.default.subpaths(atPath: support.path)).filter { $0.hasSuffix(".swift") }.sorted()
        return try [(folder, paths), (support, supportPaths)].flatMap { folder, paths in
            try paths.map { path in
                (String(path.prefix { $0 != "/" }), path, try String(contentsOf: folder.appending(path: path), encoding: .utf8))
            }
        }
    }

    @Test func targetsDependOnLowerLayersOnly() throws {
        let arrows = Rules.arrows(inManifest: try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8))
        #expect(arrows.count > 20)
        #expect(
            Set(arrows.map(\.from)).union(["StreamModel", "CellGrid", "JSON", "FlinkFake", "TestKit"]).union(systemLibraries.keys) == Set(layers.keys),
            "every target is in the table, and has its arrows read")
        #expect(Rules.complaints(aboutArrows: arrows) == [])
    }

    @Test func filesImportOnlyWhatTheirTargetMay() throws {
        for (target, file, text) in try sources() {
            #expect(Rules.complaints(aboutImports: Rules.imports(in: text), target: target, file: file) == [])
        }
    }

    @Test func theSystemIsReachedFromOneFileOfThePureLayers() throws {
        for (target, file, text) in try sources() where layers[target] ?? 9 <= 1 && target != "HostEnvironment" {
            #expect(Rules.impurities(in: text, file: file) == [])
            if file != "CheckpointStore/PosixFilesystem.swift" { #expect(!Rules.imports(in: text).contains("Glibc"), "\(file)") }
        }
    }

    @Test func onlyOneTargetKnowsEachLibrary() throws {
        var importers: [String: Set<String>] = [:]
        for (target, _, text) in try sources() { for name in Rules.imports(in: text) { importers[name, default: []].insert(target) } }
        #expect(importers["CNcurses"] == ["CursesTerminal"])
        #expect(importers["GRDB"] == ["Ledger"])
        #expect(importers["NIOPosix"] == ["ControlSocket", "FlinkREST", "SnapshotStorage", "FlinkFake"])
    }

    /// A console acts through one session type: outside it only the engines know that they can act.
    @Test func oneFileOfTheConsoleCanAct() throws {
        let allowed: Set = [
            "ConsoleCore/Model/Engine.swift", "EngineClients/Acting/Sessions.swift", "EngineClients/Looking/SocketEngine.swift",
            "EngineClients/Looking/FlinkEngine.swift",
        ]
        let found = try sources().filter { $0.text.contains("ActingEngine") }.map(\.file)
        #expect(Set(found) == allowed)
    }

    /// One target reaches engines: outside it nobody connects to a socket, or acts on a cluster.
    @Test func onlyTheClientsReachEngines() throws {
        let words = /\bControlClient\b|\bFlinkClient\b|\bFlinkOperationRunner\b|\bFlinkClusterAdmin\b|\bFlinkOperationNames\b/
        let homes: Set = ["ControlSocket", "FlinkREST", "EngineClients"]
        // The benchmark of the socket measures the client itself.
        let measured: Set = ["weir-bench/ControlLoad.swift"]
        for (target, file, text) in try sources() where !homes.contains(target) && !measured.contains(file) {
            #expect(!text.contains(words), "\(file) reaches an engine past EngineClients")
        }
    }

    @Test func everySourceFileHasManners() throws {
        for (_, file, text) in try sources() { #expect(Rules.manners(in: text, file: file) == []) }
    }

    @Test func targetsDeclareWhatTheyImport() throws {
        let manifest = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        var imports: [String: [String]] = [:]
        for (target, _, text) in try sources() { imports[target, default: []] += Rules.imports(in: text) }
        for (target, names) in imports { #expect(Rules.undeclared(imports: names, of: target, inManifest: manifest) == []) }
    }

    @Test func nothingNamesTheMachineItWasWrittenOn() throws {
        let suffixes = [".swift", ".md", ".toml", ".java", ".h", ".modulemap", ".txt", ".jsonl", ".json", ".py"]
        var paths = ["Package.swift", "README.md", "Tests/run", "Tests/setup", ".ci/run", ".gitignore", ".swift-format"]
        for folder in ["Sources", "Tests", "themes"] {
            let found = try #require(FileManager.default.subpaths(atPath: root.appending(path: folder).path))
            paths += found.filter { path in suffixes.contains { path.hasSuffix($0) } }.map { folder + "/" + $0 }
        }
        for path in paths {
            let text = String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
            #expect(Rules.machinePaths(in: text, file: path) == [])
        }
    }

    @Test func linksLeadSomewhere() throws {
        let all = try #require(FileManager.default.subpaths(atPath: root.appending(path: "Sources").path)).filter { $0.hasSuffix(".md") }
        let names = Set(all.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension })
        for path in ["README.md"] + all.map({ "Sources/" + $0 }) {
            let links = Rules.links(in: try String(contentsOf: root.appending(path: path), encoding: .utf8))
            for file in links.files {
                let target = root.appending(path: path).deletingLastPathComponent().appending(path: file)
                #expect(FileManager.default.fileExists(atPath: target.path), "\(path) links to \(file)")
            }
            for article in links.articles { #expect(names.contains(article), "\(path) links to the article \(article)") }
        }
    }

    @Test func testsHaveNoLooseEndsEither() throws {
        let folder = root.appending(path: "Tests")
        for path in try #require(FileManager.default.subpaths(atPath: folder.path)) where path.hasSuffix(".swift") {
            let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
            #expect(Rules.manners(in: text, file: path).filter { !$0.contains("try?") } == [])
        }
    }

    @Test func theTopLevelHoldsNothingElse() throws {
        let allowed: Set = ["Package.swift", "Package.resolved", "Sources", "Tests", "themes", "README.md", "LICENSE"]
        let found = try FileManager.default.contentsOfDirectory(atPath: root.path).filter { !$0.hasPrefix(".") }
        #expect(Set(found).subtracting(allowed) == [])
    }
}

@Suite struct RulesCanComplainTests {
    @Test func anArrowUpwardsIsSeen() {
        let manifest = """
            .target(name: "CheckpointCore", dependencies: ["StreamModel", "Dataflow"], swiftSettings: strict),
            .executableTarget(
                name: "weir", dependencies: ["ConsoleApp", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
            """
        let arrows = Rules.arrows(inManifest: manifest)
        #expect(arrows.map { "\($0.from)>\($0.to)" } == ["CheckpointCore>StreamModel", "CheckpointCore>Dataflow", "weir>ConsoleApp"])
        #expect(Rules.complaints(aboutArrows: arrows) == ["CheckpointCore (L1) must not depend on Dataflow (L2)"])
        #expect(Rules.complaints(aboutArrows: [("ConsoleCore", "ControlProtocol")]).count == 1, "nor sideways")
    }

    @Test func aForbiddenImportIsSeen() {
        let imports = Rules.imports(in: "public import StreamModel\n@preconcurrency internal import CNcurses\nimport struct Foundation.Data\n")
        #expect(imports == ["StreamModel", "CNcurses", "Foundation"])
        #expect(Rules.complaints(aboutImports: imports, target: "ConsoleCore", file: "f").count == 2)
    }

    @Test func badMannersAreSeen() {
        #expect(Rules.manners(in: "let a = try? b()", file: "A.swift").count == 1)
        #expect(Rules.manners(in: "// It may be gone.\nlet a = try? b()", file: "A.swift").count == 1, "which error says so?")
        #expect(Rules.manners(in: "// ENOENT: it may be gone.\nlet a = try? b()", file: "A.swift").isEmpty)
        #expect(Rules.manners(in: "let a = try? b()  // StoreError.damaged", file: "A.swift").isEmpty)
        #expect(Rules.manners(in: "let ENOENT = try? b()", file: "A.swift").count == 1, "a name is no comment")
        #expect(Rules.manners(in: "// TO" + "DO: later", file: "A.swift").count == 1)
        #expect(Rules.manners(in: "// FIX" + "ME", file: "A.swift").count == 1)
        #expect(Rules.manners(in: "", file: "X/Utils.swift").count == 1)
        #expect(Rules.manners(in: "", file: "X/String+Extensions.swift").count == 1)
        #expect(Rules.manners(in: String(repeating: "\n", count: 900), file: "A.swift").count == 1)
        #expect(Rules.impurities(in: "let now = ContinuousClock.now", file: "A.swift").count == 1)
    }

    @Test func anUndeclaredImportIsSeen() {
        let manifest = """
            let package = Package(products: [.executable(name: "weir", targets: ["weir"])], targets: [
                .target(name: "Ledger", dependencies: ["StreamModel", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
                .target(name: "ControlSocket", dependencies: ["StreamModel"] + nio, swiftSettings: strict),
            """
        #expect(Rules.undeclared(imports: ["GRDB", "StreamModel", "Glibc"], of: "Ledger", inManifest: manifest) == [])
        #expect(Rules.undeclared(imports: ["NIOCore"], of: "ControlSocket", inManifest: manifest) == [])
        #expect(Rules.undeclared(imports: ["NIOCore"], of: "Ledger", inManifest: manifest) == ["Ledger imports NIOCore and does not declare it"])
        #expect(Rules.undeclared(imports: [], of: "Dataflow", inManifest: manifest).count == 1)
    }

    @Test func aMachinePathIsSeen() {
        #expect(Rules.machinePaths(in: "cd /ro" + "ot/weir", file: "f").count == 1)
        #expect(Rules.machinePaths(in: "/tmp/weir-1000/engine.sock", file: "f").isEmpty)
    }

    @Test func linksAreFound() {
        let links = Rules.links(in: "[a](Sources/A.md) [b](https://example.org/) <doc:Decisions>")
        #expect(links.files == ["Sources/A.md"])
        #expect(links.articles == ["Decisions"])
    }
}
