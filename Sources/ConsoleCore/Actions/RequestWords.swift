import CellGrid
import StreamModel

extension Action {
    /// The exact request, in the engine's words.
    func request(_ job: JobID, in dialect: EngineCapabilities.Dialect) -> SafeText {
        switch dialect {
        case .controlSocket: request(job)
        case .flinkREST: restRequest(job)
        }
    }

    /// In the words of Flink's REST API.
    private func restRequest(_ job: JobID) -> SafeText {
        switch self {
        case .savepoint(let directory): "POST /jobs/\(job)/savepoints\(directory.map { " target-directory \($0)" } ?? "")"
        case .checkpoint: "POST /jobs/\(job)/checkpoints"
        case .stop(let drain): "POST /jobs/\(job)/stop drain \(drain)"
        case .cancel: "PATCH /jobs/\(job)?mode=cancel"
        case .restart(let options, _):
            "\(options.cancelsFirst ? "PATCH /jobs/\(job)?mode=cancel, then " : "")\(Self.restLaunch(options, from: options.path.map(Self.end) ?? "the newest"))"
        case .launch(let options): Self.restLaunch(options, from: options.path.map(Self.end))
        case .dispose(let path, _): "POST /savepoint-disposal savepoint-path \(path)"
        case .jar(.uploadJar(let file)): "POST /jars/upload with the file \(file)"
        case .jar(.deleteJar(let id)): "DELETE /jars/\(id)"
        case .jar: "nothing"
        case .fault(let text): "nothing: \(text)"
        }
    }

    /// What it begins from comes first, by the end of its path: that must not be cut where room is short.
    private static func restLaunch(_ options: RestartOptions, from snapshot: SafeText?) -> SafeText {
        var words: SafeText = "POST /jars/\(options.recipe?.jarName ?? "<jar>")/run \(snapshot.map { "savepointPath \($0)" } ?? "without a savepointPath")"
        words = "\(words), allowNonRestoredState \(options.allowsUnmatchedState)"
        if case .file(let path) = options.recipe?.jar { words = "\(words), with the file \(path)" }
        if options.claim == .claim { words = "\(words), CLAIM" }
        if let name = options.recipe?.entryClass { words = "\(words), entryClass \(name)" }
        if let parallelism = options.parallelism ?? options.recipe?.parallelism { words = "\(words), parallelism \(parallelism)" }
        if let arguments = options.recipe?.arguments, !arguments.isEmpty {
            words = "\(words), programArgs \(Secrets.masked(arguments: arguments))"
        }
        return words
    }

    /// The last two parts of a path.
    private static func end(_ path: String) -> SafeText {
        let parts = path.split(separator: "/")
        return parts.count <= 2 ? SafeText(path) : "...\(parts.suffix(2).map { "/\($0)" }.joined())"
    }

    /// In the words of the control protocol.
    private func request(_ job: JobID) -> SafeText {
        switch self {
        case .savepoint(let directory): "savepoint \(job)\(directory.map { " into \($0)" } ?? "")"
        case .checkpoint: "checkpoint \(job)"
        case .stop(let drain): "stop \(job) with a savepoint\(drain ? ", drain" : ", no drain")"
        case .cancel(let retention): "cancel \(job), checkpoints: \(retention == .byPolicy ? "by policy" : retention.rawValue)"
        case .restart(let options, _):
            "restart \(job) from \(options.path ?? "the newest"), \(options.claim == .claim ? "claim" : "no claim")"
                + "\(options.allowsUnmatchedState ? ", unmatched state allowed" : "")"
                + "\(options.parallelism.map { ", parallelism \($0)" } ?? "")\(options.cancelsFirst ? ", cancel first (keep)" : "")"
        case .launch(let options): "launch \(job)\(options.path.map { " from \($0)" } ?? "")"
        case .dispose(let path, _): "dispose \(job) of \(path)"
        case .jar(let kind): SafeText(kind.verb)
        case .fault(let text): "fault \(job): \(text)"
        }
    }
}
