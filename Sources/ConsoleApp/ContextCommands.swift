internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import ControlSocket
internal import FlinkREST
internal import Glibc

/// The contexts of the operator's configuration, for commands.
public enum Contexts {
    /// Why there is no such context.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// All of them, by name. `path` nil = the operator's own file.
    public static func all(configurationPath path: String? = nil) throws(Failure) -> [ConsoleContext] {
        do throws(ConfigurationError) {
            return try ConfigurationFile.load(path ?? BaseDirectories().configurationPath).contexts
        } catch {
            throw Failure(description: "\(error.place): \(error.problem)")
        }
    }

    public static func named(_ name: String, configurationPath path: String? = nil) throws(Failure) -> ConsoleContext {
        let contexts = try all(configurationPath: path)
        if let found = contexts.first(where: { $0.name == name }) { return found }
        let file = path ?? BaseDirectories().configurationPath
        let known = contexts.isEmpty ? "it has no [contexts.NAME]" : "there are \(contexts.map(\.name).joined(separator: ", "))"
        throw Failure(description: "no context \"\(SafeText(name, limit: 60))\" in \(SafeText(file)): \(known)")
    }

    /// `weir contexts`: prints them to standard output, as a table or as one line of JSON. Returns the exit code.
    public static func list(asJSON: Bool, configurationPath path: String? = nil) -> Int32 {
        let contexts: [ConsoleContext]
        do throws(Failure) { contexts = try all(configurationPath: path) } catch {
            Output.say("\(error)")
            return 1
        }
        let records = contexts.map(ContextRecord.init)
        let text: String
        if asJSON {
            do throws(ControlCodecError) { text = try ControlCodec.json(records) + "\n" } catch {
                Output.say("\(error)")
                return 5
            }
        } else if records.isEmpty {
            let file = SafeText(path ?? BaseDirectories().configurationPath)
            text = "no contexts in \(file); the console uses \(SafeText(SocketPath.standard()))\n"
        } else {
            text = ContextRecord.table(records)
        }
        return Output.write(text, to: STDOUT_FILENO) ? 0 : 5
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
        let rows = [["NAME", "CLASS", "GUARD", "KIND", "MODE", "ADDRESS"]] + records.map { record in
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
