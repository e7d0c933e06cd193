internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
internal import EngineClients
internal import HostEnvironment
internal import StreamModel

/// `weir log`: the log of an engine of ours.
extension EngineCommands {
    /// Prints the newest lines, oldest first; with `follows` those that come, until nobody reads them.
    /// - Parameter job: only lines about it and other runs of its name.
    public static func log(_ options: CommandOptions, job: String?, limit: Int?, follows: Bool) -> Int32 {
        run(options) { (link) throws(ClientFailure) in
            let reference = job.map { JobReference($0) }
            var last: UInt64?
            var entries = try link.log(reference, limit: limit ?? 50)
            if follows { try link.startWatching() }
            while true {
                guard try print(entries, options, isStream: follows) else { return .ok }
                last = entries.last?.sequence ?? last
                guard follows else { return .ok }
                entries = try link.nextLines(reference, after: last)
            }
        }
    }

    /// False = nobody reads any more.
    private static func print(_ entries: [EngineLogEntry], _ options: CommandOptions, isStream: Bool) throws(ClientFailure) -> Bool {
        if options.printsJSON {
            if !isStream { return try print(entries, options) }
            for entry in entries { guard try print(entry, options) else { return false } }
            return true
        }
        for entry in entries { guard options.output.data(line(entry, options.times)) else { return false } }
        return true
    }

    static func line(_ entry: EngineLogEntry, _ times: TimeColumns) -> String {
        let level = entry.level == .info ? "info " : entry.level == .warning ? "WARN " : "ERROR"
        let subject = entry.subject.rawValue + String(repeating: " ", count: max(0, 10 - entry.subject.rawValue.count))
        return "\(times.when(entry.at))  \(level)  \(subject)  \(entry.jobName.map { "\(printable($0)): " } ?? "")\(printable(entry.message, limit: 4000))"
    }
}

extension EngineLink {
    /// Waits for lines that follow one.
    fileprivate func nextLines(_ reference: JobReference?, after last: UInt64?) throws(ClientFailure) -> [EngineLogEntry] {
        while true {
            let report = try nextReport(of: nil)
            guard report.logEnd != last else { continue }
            let entries = try log(reference, after: last)
            if !entries.isEmpty { return entries }
        }
    }
}
