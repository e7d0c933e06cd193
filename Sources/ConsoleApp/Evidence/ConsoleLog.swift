internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import EngineClients
internal import HostEnvironment
internal import StreamModel

/// The log of everything that a console took in: keys and what engines told. A line of JSON each, the first one says what the console was.
/// `weir replay` plays it back.
enum ConsoleLog {
    /// The first line.
    struct Header: Codable {
        struct Context: Codable {
            var name: String
            var `class`: String
            var address: String
        }

        /// Tells the format.
        var weir = "events"
        var schema = 1
        var startedAt: WallTime
        var utcOffsetSeconds: Int
        var columns, rows: Int
        var contexts: [Context]
    }

    /// Any other line: when, and one thing that happened.
    struct Line: Codable {
        var at: WallTime
        var key: String?
        var size: [Int]?
        var context: String?
        var link: Link?
        var capabilities: EngineCapabilities?
        var report: EngineReport?
        var receivedAt: WallTime?
        var job: JobID?
        var checkpoints: [CheckpointReport]?
        var checkpoint: CheckpointReport?
        var failures: [FailureReport]?
        var operation: OperationReport?
        var refused: OperationID?
        var inspection: SnapshotInspection?
        var log: [EngineLogEntry]?
        var message: String?

        init(at: WallTime) { self.at = at }
    }

    struct Link: Codable {
        var state: String
        var roundTrip: Milliseconds?
        var reason: String?
        var retryAt: WallTime?
        var attempts: Int?
    }

    /// What is written of an event; nil = nothing (the clock, themes).
    static func line(_ event: ConsoleEvent, at now: WallTime) -> Line? {
        var line = Line(at: now)
        switch event {
        case .key(let key): line.key = key.description
        case .resize(let size): line.size = [size.columns, size.rows]
        case .engine(let context, let event):
            line.context = context
            fill(&line, event)
        default: return nil
        }
        return line
    }

    private static func fill(_ line: inout Line, _ event: EngineEvent) {
        switch event {
        case .link(let state): line.link = Link(state)
        case .capabilities(let capabilities): line.capabilities = capabilities
        case .report(let report, let receivedAt): (line.report, line.receivedAt) = (report, receivedAt)
        case .checkpoints(let job, let list): (line.job, line.checkpoints) = (job, list)
        case .checkpoint(let job, let checkpoint): (line.job, line.checkpoint) = (job, checkpoint)
        case .failures(let job, let failures): (line.job, line.failures) = (job, failures)
        case .operation(let report): line.operation = report
        case .refused(let id, let message): (line.refused, line.message) = (id, message)
        case .inspection(let inspection): line.inspection = inspection
        case .log(let entries): line.log = entries
        case .requestFailed(let message): line.message = message
        }
    }
}

extension ConsoleLog.Line {
    /// What the line says of an engine; nil for keys and sizes.
    var engineEvent: EngineEvent? {
        if let link { return .link(link.state(at: at)) }
        if let capabilities { return .capabilities(capabilities) }
        if let report { return .report(report, receivedAt: receivedAt ?? at) }
        if let job, let checkpoints { return .checkpoints(job, checkpoints) }
        if let job, let checkpoint { return .checkpoint(job, checkpoint) }
        if let job, let failures { return .failures(job, failures) }
        if let operation { return .operation(operation) }
        if let refused { return .refused(refused, message: message ?? "") }
        if let inspection { return .inspection(inspection) }
        if let log { return .log(log) }
        return message.map { .requestFailed($0) }
    }
}

extension ConsoleLog.Link {
    init(_ state: LinkState) {
        switch state {
        case .connecting: self.state = "connecting"
        case .up(let roundTrip): (self.state, self.roundTrip) = ("up", roundTrip)
        case .down(let reason, let retryAt, let attempts): (self.state, self.reason, self.retryAt, self.attempts) = ("down", reason, retryAt, attempts)
        }
    }

    func state(at now: WallTime) -> LinkState {
        switch state {
        case "up": .up(roundTrip: roundTrip)
        case "down": .down(reason: reason ?? "", retryAt: retryAt, attempts: attempts ?? 0)
        default: .connecting
        }
    }
}

/// A log that was read.
struct RecordedEvents {
    var header: ConsoleLog.Header
    var lines: [ConsoleLog.Line]
    /// The last line was cut off: the console that wrote it was killed.
    var isCut = false

    static let bytesMax = 256 << 20

    struct Failure: Error, CustomStringConvertible {
        var path: String
        var line: Int?
        var problem: String
        var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(problem)" }
    }

    static func read(_ path: String) throws(Failure) -> RecordedEvents {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) { bytes = try SmallFile.read(path, limit: bytesMax) } catch {
            throw Failure(path: path, line: nil, problem: error.reason)
        }
        return try parse(bytes, path: path)
    }

    static func parse(_ bytes: [UInt8], path: String) throws(Failure) -> RecordedEvents {
        let rows = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let first = rows.first, !first.isEmpty else { throw Failure(path: path, line: nil, problem: "is empty; --events FILE writes such a log") }
        let header: ConsoleLog.Header
        do { header = try ControlCodec.decode(ConsoleLog.Header.self, from: first) } catch {
            throw Failure(path: path, line: 1, problem: "is not a Weir event log")
        }
        guard header.weir == "events" else { throw Failure(path: path, line: 1, problem: "is not a Weir event log") }
        guard header.schema == 1 else { throw Failure(path: path, line: 1, problem: "is of schema \(header.schema); this version knows schema 1") }
        var events = RecordedEvents(header: header, lines: [])
        for (index, row) in rows.enumerated().dropFirst() where !row.isEmpty {
            do {
                events.lines.append(try ControlCodec.decode(ConsoleLog.Line.self, from: row))
            } catch {
                // A whole line ends in a newline, and so the last row of a whole log is empty.
                guard index == rows.count - 1 else { throw Failure(path: path, line: index + 1, problem: error.problem) }
                events.isCut = true
            }
        }
        // Clocks are set back; the order of the lines is the order in which things happened.
        var latest = WallTime(milliseconds: .min)
        for index in events.lines.indices {
            latest = max(latest, events.lines[index].at)
            events.lines[index].at = latest
        }
        return events
    }

    /// The contexts of the console that wrote the log; a class that is not known counts as the most careful one.
    var contexts: [ConsoleContext] {
        header.contexts.map { context in
            ConsoleContext(name: context.name, class: ContextClass(rawValue: context.class) ?? .prod, socket: context.address, isReadOnly: true)
        }
    }
}
