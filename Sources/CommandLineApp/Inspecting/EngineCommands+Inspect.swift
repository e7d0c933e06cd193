internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
internal import EngineClients
internal import FlinkFormats
internal import FlinkSnapshots
internal import HostEnvironment
internal import StreamModel

extension EngineCommands {
    /// Reads a snapshot of Weir or of Flink and reports whether it is intact. The status: ok; failed if it is damaged, missing or foreign; unproven
    /// if it is not reachable from here; refused if the operators of `uids` would leave state over.
    public static func inspect(_ options: CommandOptions, path: String, uids: [String] = []) -> Int32 {
        let found = LocalInspection.inspect(path, options.storage)
        let record = InspectionRecord(found, uids: uids)
        do throws(ClientFailure) {
            if options.printsJSON {
                try print(record, options)
            } else {
                switch found {
                case .weir(let inspection): describe(inspection, options.output)
                case .flink(let snapshot): FlinkDescription(snapshot: snapshot, record: record).print(options.output)
                }
            }
        } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
        return status(found, record).rawValue
    }

    private static func status(_ found: LocalInspection, _ record: InspectionRecord) -> ExitStatus {
        switch record.inspection.verdict {
        case .damaged, .missing, .foreign, .abandoned, .tooNew: return .failed
        case .ok, .unreachable, .unchecked: break
        }
        if case .flink = found, record.flink?.uids?.unclaimedOperators.isEmpty == false { return .refused }
        return record.inspection.verdict == .ok ? .ok : .unproven
    }

    private static func describe(_ inspection: SnapshotInspection, _ output: Output) {
        output.data("\(printable(inspection.path, limit: 4096)): \(inspection.verdict.rawValue)")
        if let problem = inspection.problem { output.data("  problem      \(printable(problem, limit: 1000))") }
        if let id = inspection.checkpoint { output.data("  \((inspection.kind?.rawValue ?? "checkpoint")) \(id)") }
        if let job = inspection.job { output.data("  job          \(job) '\(printable(inspection.jobName ?? ""))'") }
        if let size = inspection.stateSize { output.data("  state        \(Figures.bytes(size))") }
        if let written = inspection.checkpointedSize, let size = inspection.stateSize, written.count < size.count {
            output.data("  written      \(Figures.bytes(written)); the rest lies in files of older checkpoints, in ../shared")
        }
        if let maximum = inspection.maxParallelism { output.data("  parallelism  at most \(maximum)") }
        if !inspection.operators.isEmpty { output.data("  operators    \(printable(inspection.operators.joined(separator: ", "), limit: 1000))") }
    }
}

/// A snapshot of Flink in lines for people.
private struct FlinkDescription {
    let snapshot: FlinkSnapshot
    let record: InspectionRecord
    /// Sound files are listed up to this number; `--json` has them all.
    private static let listedMax = 100

    func print(_ output: Output) { for line in lines { output.data(line) } }

    private var lines: [String] {
        var lines = ["\(printable(snapshot.path, limit: 4096)): \(snapshot.verdict.rawValue)"]
        if let problem = snapshot.problem { lines.append("  problem      \(printable(problem, limit: 1000))") }
        guard let metadata = snapshot.metadata, let flink = record.flink else { return lines }
        lines += facts(metadata, flink)
        lines += [""] + operators(flink)
        if !flink.kafka.isEmpty { lines += [""] + kafka(flink) }
        if !flink.files.isEmpty { lines += [""] + files(flink) }
        lines += [""] + checks(flink)
        return lines
    }

    private func facts(_ metadata: FlinkMetadata, _ flink: InspectionRecord.Flink) -> [String] {
        var lines = ["  format       Flink, metadata version \(metadata.version)"]
        lines.append("  \(kind.padding(12)) \(metadata.checkpoint)\(purpose(flink.properties))\(untold(metadata))")
        if let job = snapshot.job { lines.append("  job          \(job)") }
        if let at = snapshot.writtenAt { lines.append("  written      \(Figures.duration(max(0, .now() - at))) ago") }
        let written = metadata.checkpointedSize.flatMap { $0.count < metadata.stateSize.count ? ", of which it wrote \(Figures.bytes($0))" : nil } ?? ""
        lines.append("  state        \(Figures.bytes(metadata.stateSize)) in \(metadata.operators.count) operators\(written)")
        if !metadata.masterStates.isEmpty { lines.append("  hooks        \(printable(metadata.masterStates.map(\.name).joined(separator: ", "), limit: 400))") }
        return lines
    }

    private var kind: String { snapshot.kind.map { $0.isSavepoint ? "savepoint" : "checkpoint" } ?? "snapshot" }

    private func untold(_ metadata: FlinkMetadata) -> String {
        guard metadata.version >= 4, metadata.properties == nil else { return "" }
        return " (kind not told: a savepoint of the State Processor API)"
    }

    private func purpose(_ properties: InspectionRecord.Properties?) -> String {
        guard let properties else { return "" }
        let format = properties.format.map { ", \(printable($0.lowercased()))" } ?? ""
        let discards = properties.discardedWhen.isEmpty ? "never deleted by Flink" : "deleted when \(properties.discardedWhen.joined(separator: ", "))"
        return " (\(printable(properties.name))\(format); \(discards))"
    }

    private func operators(_ flink: InspectionRecord.Flink) -> [String] {
        var table = TextTable(["OPERATOR", "NAME", "UID", "TASKS", "MAX", "STATE", "KEYED", "LISTS", "IN FLIGHT", "FINISHED"], numeric: [3, 4, 5, 6, 7, 8, 9])
        // Older versions keep no uids: one that was given and fits is as good.
        let given = Dictionary((flink.uids?.matched ?? [:]).map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        for state in flink.operators {
            table.add([
                state.id.description, state.name ?? "-", state.uid ?? given[state.id] ?? "-", "\(state.parallelism)", "\(state.maxParallelism)",
                Figures.bytes(state.stateSize).string,
                Figures.bytes(state.keyedStateSize).string, Figures.bytes(state.operatorStateSize).string, Figures.bytes(state.channelStateSize).string,
                "\(state.finishedSubtasks)",
            ])
        }
        return table.lines
    }

    private func kafka(_ flink: InspectionRecord.Flink) -> [String] {
        var table = TextTable(["TOPIC", "PARTITION", "NEXT OFFSET", "SOURCE", "OPERATOR", "SUBTASK"], numeric: [1, 2, 5])
        for row in flink.kafka.sorted(by: { ($0.topic, $0.partition) < ($1.topic, $1.partition) }) {
            table.add([row.topic, "\(row.partition)", row.nextOffset.map { "\($0)" } ?? row.start ?? "-", row.source, row.operatorID.short, "\(row.subtask)"])
        }
        return table.lines
    }

    private func files(_ flink: InspectionRecord.Flink) -> [String] {
        let bad = flink.files.filter { $0.state != "present" }, good = flink.files.filter { $0.state == "present" }
        var table = TextTable(["FILE", "EXPECTED", "FOUND", "ROLE", "PATH"], numeric: [1, 2])
        for file in bad + good.prefix(Self.listedMax) {
            let expected = file.expectedSize.map { "\(file.isMinimum ? ">=" : "")\($0)" } ?? "-"
            table.add([file.state, expected, file.foundSize.map { "\($0.count)" } ?? "-", file.role, file.path])
        }
        return table.lines + (good.count > Self.listedMax ? ["... and \(good.count - Self.listedMax) more that are present; --json lists all"] : [])
    }

    // MARK: Checks

    private func checks(_ flink: InspectionRecord.Flink) -> [String] {
        var lines = [fileCheck(flink)]
        for neighbour in flink.neighbours {
            lines.append(
                "!!  \(neighbour.files) files (\(Figures.bytes(neighbour.bytes))) lie in \(printable(neighbour.directory, limit: 4096))\(neighbour.job.map { ", the directory of job \($0)" } ?? ""): keep that directory as long as this snapshot is needed"
            )
        }
        if let uids = flink.uids { lines += uidChecks(uids, flink) }
        lines += flink.notes.map { "??  \(printable($0, limit: 1000))" }
        return lines
    }

    private func fileCheck(_ flink: InspectionRecord.Flink) -> String {
        let counts = Dictionary(grouping: flink.files, by: \.state).mapValues(\.count)
        let bad = (counts["missing"] ?? 0) + (counts["wrongLength"] ?? 0) + (counts["notPlain"] ?? 0)
        if bad > 0 { return "XX  \(bad) of \(flink.files.count) files are missing or of the wrong length: a restore fails" }
        if let unreachable = counts["unreachable"] { return "??  \(unreachable) of \(flink.files.count) files are not reachable from here: unchecked" }
        return flink.files.isEmpty ? "ok  all state is in the metadata" : "ok  \(flink.files.count) files are there and have their length"
    }

    private func uidChecks(_ uids: InspectionRecord.Uids, _ flink: InspectionRecord.Flink) -> [String] {
        var lines: [String] = []
        for id in uids.unclaimedOperators {
            let state = flink.operators.first { $0.id == id }
            let name = state?.uid ?? state?.name
            lines.append(
                "XX  operator \(id)\(name.map { " '\(printable($0))'" } ?? "") (\(Figures.bytes(state?.stateSize ?? 0))) matches none of the uids: a restore is refused unless unmatched state is allowed"
            )
        }
        for uid in uids.withoutState {
            let name = OperatorID(uid).map { "uid hash \($0)" } ?? "uid '\(printable(uid))' (\(OperatorID(uid: uid)))"
            lines.append("!!  \(name) has no state here: its operator starts empty")
        }
        if lines.isEmpty { lines.append("ok  all \(uids.matched.count) uids find their state, and no state is left over") }
        return lines
    }
}

extension String {
    /// Filled with spaces up to a length.
    fileprivate func padding(_ length: Int) -> String { self + String(repeating: " ", count: max(0, length - count)) }
}
