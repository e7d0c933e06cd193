internal import CellGrid
internal import ConsoleApp
internal import ConsoleCore
internal import ControlProtocol
internal import ControlSocket
public import EngineClients
internal import FlinkREST
internal import Glibc
internal import HostEnvironment
public import SnapshotStorage

/// The contexts of the operator's configuration, for commands.
public enum Contexts {
    /// Why there is no such context.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// The operator's own file, or the one at `path`. A mistake in it is reported on standard error; the other contexts hold.
    public static func all(configurationPath path: String? = nil) -> [ConsoleContext] {
        let file = ConfigurationFile.load(path ?? BaseDirectories().configurationPath)
        for problem in file.problems { Output.standard.say(problem.description) }
        return file.contexts
    }

    /// Access to the stores of snapshots, by the operator's file. A mistake in it is reported with the contexts.
    public static func storage(configurationPath path: String? = nil) -> StorageSettings {
        ConfigurationFile.load(path ?? BaseDirectories().configurationPath).storage
    }

    /// A context without a mistake.
    public static func named(_ name: String, configurationPath path: String? = nil) throws(Failure) -> ConsoleContext {
        let place = path ?? BaseDirectories().configurationPath
        let file = ConfigurationFile.load(place)
        if let found = file.contexts.first(where: { $0.name == name }) {
            if let problem = found.problem { throw Failure(description: problem) }
            return found
        }
        if file.hidesContexts, let problem = file.problems.first { throw Failure(description: "\(problem.place): \(problem.problem)") }
        let known = file.contexts.isEmpty ? "it has no [contexts.NAME]" : "there are \(file.contexts.map(\.name).joined(separator: ", "))"
        throw Failure(description: "no context \"\(SafeText(name, limit: 60))\" in \(SafeText(place)): \(known)")
    }

    /// `weir contexts`: prints them to standard output, as a table or as one line of JSON. Returns the exit code.
    public static func list(asJSON: Bool, configurationPath path: String? = nil) -> Int32 {
        let records = all(configurationPath: path).map(ContextRecord.init)
        let text: String
        if asJSON {
            do throws(ControlCodecError) { text = try ControlCodec.json(records) + "\n" } catch {
                Output.standard.say("\(error)")
                return 5
            }
        } else if records.isEmpty {
            let file = SafeText(path ?? BaseDirectories().configurationPath)
            text = "no contexts in \(file); the console uses \(SafeText(SocketPath.standard()))\n"
        } else {
            text = ContextRecord.table(records)
        }
        return Output.standard.screen(text) ? 0 : 5
    }

}

/// One context as `weir contexts --json` prints it. Secrets are named by their place.
struct ContextRecord: Codable, Equatable {
    var name: String
    var `class`: String
    var `guard`: String
    /// "weir" or "flink".
    var kind: String
    var address: String
    var readOnly: Bool
    var accent: String?
    var authority: String?
    var certificate: String?
    var serverName: String?
    var token: String?
    /// Name and place of the value.
    var headers: [String: String]?

    init(_ context: ConsoleContext) {
        name = context.name
        `class` = context.class.rawValue
        `guard` = (context.guardClass ?? context.class).rawValue
        address = SafeText(context.address.text).string
        readOnly = context.isReadOnly
        accent = context.accent
        switch context.address {
        case .socket: kind = "weir"
        case .flink(let flink):
            kind = "flink"
            authority = flink.authorityFile
            certificate = flink.clientCertificate?.chainFile
            serverName = flink.serverName
            token = flink.token?.description
            if !flink.headers.isEmpty { headers = Dictionary(flink.headers.map { ($0.name, $0.value.description) }) { first, _ in first } }
        }
    }

    static func table(_ records: [ContextRecord]) -> String {
        let rows =
            [["NAME", "CLASS", "GUARD", "KIND", "MODE", "ADDRESS"]]
            + records.map { record in
                let secured = [record.authority.map { _ in "ca" }, record.certificate.map { _ in "client certificate" }, record.token.map { "token \($0)" }]
                    .compactMap { $0 }
                let note = secured.isEmpty ? "" : "  (\(secured.joined(separator: ", ")))"
                return [record.name, record.class, record.guard, record.kind, record.readOnly ? "read-only" : "acts", record.address + note]
            }
        let widths = (0..<5).map { column in rows.map { $0[column].utf8.count }.max() ?? 0 }
        return rows.map { row in
            (0..<5).map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].utf8.count) }.joined(separator: "  ") + "  " + row[5] + "\n"
        }.joined()
    }
}
