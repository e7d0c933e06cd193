internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import Dispatch
internal import EngineClients
internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// Writes what the console shows and takes in to files, on a thread of its own: a cast of the frames, a log of the events. A disk that fails
/// costs one notice and the rest of that file.
final class Recorder: Sendable {
    private let writer = DispatchQueue(label: "weir.recorder")
    private let cast: EvidenceFile?
    private let events: EvidenceFile?
    private let state: Mutex<State>
    private let complain: @Sendable (String) -> Void

    private struct State {
        var script = CastScript()
        var startedAt: Int64
        var isBroken: Set<String> = []
    }

    /// Makes the files. `complain` is called from any thread.
    init(cast: String?, events: String?, complain: @escaping @Sendable (String) -> Void) throws(EvidenceFile.Failure) {
        self.cast = if let cast { try EvidenceFile(creating: cast) } else { nil }
        self.events = if let events { try EvidenceFile(creating: events) } else { nil }
        self.complain = complain
        state = Mutex(State(startedAt: MonotonicClock.milliseconds()))
    }

    /// The first lines.
    func begin(_ model: ConsoleModel, contexts: [ConsoleContext], at now: WallTime) {
        if let cast {
            let term = SafeText(ProcessEnvironment.variable("TERM") ?? "xterm-256color", limit: 40)
            write(CastScript.header(size: model.options.size, startedAt: now, title: "weir", term: term), to: cast)
        }
        guard let events else { return }
        let header = ConsoleLog.Header(
            startedAt: now, utcOffsetSeconds: model.options.utcOffsetSeconds, columns: model.options.size.columns, rows: model.options.size.rows,
            contexts: contexts.map { .init(name: $0.name, class: $0.class.rawValue, address: $0.address.text) })
        writeJSON(header, to: events)
    }

    /// A frame that was painted.
    func painted(_ frame: CellBuffer, _ styles: StyleSheet) {
        guard let cast else { return }
        let lines = state.withLock { state in
            state.script.frame(frame, styles, at: Milliseconds(MonotonicClock.milliseconds() - state.startedAt))
        }
        if !lines.isEmpty { write(lines, to: cast) }
    }

    /// An event, before it is taken in.
    func took(_ event: ConsoleEvent, at now: WallTime) {
        guard let events, let line = ConsoleLog.line(event, at: now) else { return }
        writeJSON(line, to: events)
    }

    /// Waits until everything is written.
    func finish() { writer.sync {} }

    private func writeJSON(_ value: some Encodable & Sendable, to file: EvidenceFile) {
        writer.async { [self] in
            do throws(ControlCodecError) {
                append(try ControlCodec.json(value) + "\n", to: file)
            } catch {
                complain("\(file.path): \(error.problem)")
            }
        }
    }

    private func write(_ text: String, to file: EvidenceFile) {
        writer.async { [self] in append(text, to: file) }
    }

    private func append(_ text: String, to file: EvidenceFile) {
        guard !state.withLock({ $0.isBroken.contains(file.path) }) else { return }
        do throws(EvidenceFile.Failure) {
            try file.write(text)
        } catch {
            _ = state.withLock { $0.isBroken.insert(file.path) }
            complain("recording has ended: \(error)")
        }
    }
}
