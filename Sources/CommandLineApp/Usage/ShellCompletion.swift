internal import CellGrid
internal import ConsoleApp
internal import ControlSocket
internal import EngineClients
internal import FlinkREST
internal import HostEnvironment
internal import StreamModel

/// The words of a shell's command line, as far as they tell which engine and which job are meant.
struct CompletedLine: Equatable {
    var socket: String?
    var context: String?
    var flink: String?
    /// The first word after the command that belongs to no option.
    var job: String?

    /// Options of the commands that complete jobs whose value is the next word.
    private static let valued: Set<String> = [
        "socket", "context", "flink", "trust-owner", "token-file", "token-env", "ca-file", "client-certificate", "client-key", "reason", "operation", "timeout",
        "from", "directory", "parallelism", "recipe", "limit", "size", "format", "theme",
    ]

    /// - Parameter words: the command line from "weir" on; the last one may be unfinished.
    init(_ words: [String]) {
        var rest = words.dropFirst()[...]
        var hasCommand = false
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                if word.hasPrefix("-") { continue }
                if hasCommand, job == nil { job = word }
                hasCommand = true
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts.first ?? ""
            guard Self.valued.contains(name) else { continue }
            let value = parts.count == 2 ? parts[1] : rest.popFirst()
            switch name {
            case "socket": socket = value
            case "context": context = value
            case "flink": flink = value
            default: break
            }
        }
    }
}

/// What a shell completes: names and numbers that only an engine or the configuration knows. Nothing is printed but the candidates, whatever goes wrong.
public enum ShellCompletion {
    /// The names of an engine's jobs, and the ids of those that share theirs with another one.
    public static func jobs(_ words: [String]) -> [String] { candidates(jobsAt(CompletedLine(words))) }

    /// What `--from` takes: the snapshots of the job on the line by number; by path once one is begun.
    public static func snapshots(_ words: [String], prefix: String = "") -> [String] {
        let line = CompletedLine(words), names = ["latest", "savepoint"]
        guard let job = line.job, let place = address(of: line) else { return names }
        let rows = CompletionLookup.checkpoints(of: job, at: place.address, trust: place.trust).filter(\.isRestorable)
        return prefix.hasPrefix("/") ? rows.compactMap(\.path) : names + rows.map { "\($0.id)" }
    }

    /// The contexts of the configuration.
    public static func contexts() -> [String] { ConfigurationFile.load(BaseDirectories().configurationPath).contexts.map(\.name).sorted() }

    private static func jobsAt(_ line: CompletedLine) -> [JobReport] {
        address(of: line).map { CompletionLookup.jobs(at: $0.address, trust: $0.trust) } ?? []
    }

    static func candidates(_ jobs: [JobReport]) -> [String] {
        let counts = Dictionary(jobs.map { ($0.name, 1) }) { $0 + $1 }
        var names: [String] = [], ids: [String] = []
        for job in jobs {
            // A name that cannot be typed, or would act on a terminal, is named by its id.
            let isPlain = printable(job.name, limit: .max) == job.name && !job.name.isEmpty
            if isPlain, !names.contains(job.name) { names.append(job.name) }
            if !isPlain || counts[job.name] ?? 0 > 1 { ids.append(job.id.short) }
        }
        return names + ids
    }

    /// The engine that the line names, else the one that commands ask without a name.
    private static func address(of line: CompletedLine) -> (address: EngineAddress, trust: EngineTrust)? {
        if let flink = line.flink {
            do throws(FlinkAddress.Problem) { return (.flink(FlinkConnection(try FlinkAddress(flink))), .own) } catch { return nil }
        }
        if let name = line.context {
            do throws(Contexts.Failure) {
                let context = try Contexts.named(name)
                return (context.address, context.trust)
            } catch { return nil }
        }
        return (.socket(line.socket ?? SocketPath.standard()), .own)
    }
}
