public import CellGrid
public import StreamModel

/// The scripted demonstration: watches the console and chooses the next key, as a presenter would. It continues when the awaited
/// state has been observed, never by the clock alone. A presenter's own key stops it, `:demo next` continues it.
///
/// A value and pure, like the model: its surroundings ask `step` after every event and when `dueAt` has come.
public struct DemoScript: Sendable {
    /// A scene: a caption, keys, and what must be seen before the next one.
    struct Scene: Sendable {
        private let text: String
        private let names: [Command]
        /// The least time for people to read it.
        var dwell: Milliseconds
        /// The key to press after so many of this scene; nil = no more.
        var key: @Sendable (_ count: Int, ConsoleModel) -> KeyPress?
        /// Typed text follows faster than other keys.
        var isTyped: Bool
        var until: @Sendable (ConsoleModel) -> Bool

        /// Each "%" of the caption is the key of one of `names`.
        init(
            _ caption: String, _ names: Command..., dwell: Milliseconds = .seconds(4),
            key: @escaping @Sendable (Int, ConsoleModel) -> KeyPress? = { _, _ in nil },
            isTyped: Bool = false, until: @escaping @Sendable (ConsoleModel) -> Bool
        ) {
            (text, self.names, self.dwell, self.key, self.isTyped, self.until) = (caption, names, dwell, key, isTyped, until)
        }

        func caption(_ keys: KeyMap) -> SafeText {
            let parts = text.split(separator: "%", omittingEmptySubsequences: false)
            return SafeText(zip(parts, names.map { keys.label($0).string } + [""]).map { $0 + $1 }.joined())
        }
    }

    private let scenes: [Scene]
    private let speed: Double
    private var index = 0
    private var keyCount = 0
    private var sceneBegan: WallTime?
    private var nextKeyAt: WallTime?
    private var recentKeys: [KeyPress] = []
    /// The presenter has the keys.
    public private(set) var isTakenOver = false
    /// The time of the next `step`.
    public private(set) var dueAt: WallTime?

    /// `speed`: 2 halves every pause; waiting for a state is not affected.
    public init(speed: Double = 1) {
        self.init(scenes: Self.restoreFromOlder, speed: speed)
    }

    init(scenes: [Scene], speed: Double) {
        self.scenes = scenes
        self.speed = speed.isFinite ? min(max(speed, 0.1), 100) : 1
    }

    public var isOver: Bool { index >= scenes.count }

    /// The presenter pressed a key of his own.
    public mutating func takeOver() { isTakenOver = !isOver }

    /// Continues the script, also after the presenter has played a scene.
    public mutating func goOn() {
        isTakenOver = false
        sceneBegan = nil
    }

    public func caption(_ map: KeyMap) -> Caption {
        let keys = recentKeys.map(\.label.string).joined(separator: " ")
        if isOver { return Caption(badge: "DEMO", text: "Nothing was lost. The keys are yours; \(map.label(.quit)) leaves.", keys: "") }
        if isTakenOver { return Caption(badge: "DEMO", text: "The keys are yours; `:demo next` continues.", keys: "") }
        return Caption(badge: "DEMO", text: scenes[index].caption(map), keys: SafeText(keys))
    }

    /// The key to press now, if any.
    public mutating func step(_ model: ConsoleModel, at now: WallTime) -> KeyPress? {
        guard !isOver, !isTakenOver else {
            dueAt = nil
            return nil
        }
        let scene = scenes[index]
        if sceneBegan == nil {
            (sceneBegan, keyCount, recentKeys) = (now, 0, [])
            nextKeyAt = now + scaled(.seconds(2))
        }
        if let at = nextKeyAt {
            guard at <= now else {
                dueAt = at
                return nil
            }
            if let key = scene.key(keyCount, model) {
                keyCount += 1
                recentKeys = (recentKeys + [key]).suffix(scene.isTyped ? 24 : 6)
                // Faster than six keys in 150 ms would count as a paste, and a sheet takes nothing in its first 300 ms.
                nextKeyAt = now + max(scaled(scene.isTyped ? Milliseconds(90) : Milliseconds(900)), Milliseconds(scene.isTyped ? 40 : 350))
                dueAt = nextKeyAt
                return key
            }
        }
        let end = (sceneBegan ?? now) + scaled(scene.dwell)
        if end <= now, scene.until(model) {
            index += 1
            (sceneBegan, dueAt) = (nil, now + Milliseconds(1))
        } else {
            // The awaited state comes with an event.
            dueAt = end > now ? end : nil
        }
        return nil
    }

    private func scaled(_ time: Milliseconds) -> Milliseconds { Milliseconds(Int64(clamping: (Double(time.count) / speed).rounded())) }
}

// MARK: The script

extension DemoScript {
    static let job = "orders"

    /// The commands that the script presses the keys of.
    public static let pressed: [Command] = [.commandLine, .savepoint, .cancel, .restart, .open, .moveDown, .first, .quit]

    /// Savepoint, slow storage, a budget that shrinks, cancel and keep, a restart from an older checkpoint on purpose, the proof.
    static let restoreFromOlder: [Scene] = [
        Scene("A private engine with two jobs, worst first. The keys are real.", dwell: .seconds(5)) { model in
            model.demoJob != nil
        },
        Scene("% opens a job: is it alive, falling behind, restorable?", .open, key: openJob) { model in
            model.screen == .job && model.demoJob?.counts.completed ?? 0 >= 2
        },
        Scene(
            "FAIL: failure budget. CKPT: newest and its age. SEQ: losses.", dwell: .seconds(6)
        ) { $0.demoJob?.counts.completed ?? 0 >= 3 },
        Scene("%: a savepoint. Sent, accepted and observed are not the same.", .savepoint, key: command(.savepoint)) {
            $0.demoJob?.latestSavepoint != nil
        },
        Scene("Now the storage gets slow.", key: typed(":fault slow 60s"), isTyped: true) {
            $0.modals.isEmpty
        },
        Scene("Checkpoints expire. FAIL counts consecutive ones.", dwell: .seconds(3)) {
            $0.demoJob?.budget.counted ?? 0 >= 2
        },
        Scene("% cancels. The sheet first checks if checkpoints are kept.", .cancel, dwell: .seconds(5), key: command(.cancel)) {
            $0.openSheet != nil
        },
        Scene("y sends it, and no other key does.", key: accept) { $0.demoJob?.state == .canceled },
        Scene("%: which checkpoints can be restored? Every file is verified.", .restart, dwell: .seconds(5), key: openChooser) {
            $0.demoChooser != nil
        },
        Scene("Not the newest: an older checkpoint, on purpose.", key: chooseOlder) { $0.isOlderChosen },
        Scene("Options, then the sheet: the request and the replay.", dwell: .seconds(5), key: toSheet) { $0.openSheet != nil },
        Scene("y launches it.", dwell: .seconds(2), key: accept) { $0.demoProof != nil },
        Scene("The proof, as it is observed. Nothing is claimed early.", dwell: .seconds(6)) {
            $0.demoProof?.verdict.isProven ?? false
        },
        Scene("Back at the job: later input was read again, exactly once.", dwell: .seconds(6), key: leaveProof) {
            guard let audit = $0.demoJob?.audit, let toReplay = audit.toReplay else { return false }
            return $0.modals.isEmpty && toReplay > 0 && audit.replayed >= toReplay && audit.duplicates == 0 && audit.lost == 0
        },
    ]

    /// One key: the one that the operator has given to the command.
    private static func command(_ command: Command) -> @Sendable (Int, ConsoleModel) -> KeyPress? {
        { count, model in count == 0 ? model.demoKey(command) : nil }
    }

    /// The text and Enter, and then `y` where that opened a sheet.
    private static func typed(_ text: String) -> @Sendable (Int, ConsoleModel) -> KeyPress? {
        let scalars = Array(text.unicodeScalars)
        // Its first character opens the command line.
        return { count, model in
            if count == 0 { return model.demoKey(.commandLine) }
            if scalars.indices.contains(count) { return .character(scalars[count]) }
            if count == scalars.count { return .named(.enter) }
            return accept(count - scalars.count - 1, model)
        }
    }

    private static let openJob: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        guard model.screen == .overview, count < 20 else { return nil }
        if model.shown.job(model.focusedJob)?.name == job { return model.demoKey(.open) }
        return model.listPosition.index + 1 < model.listPosition.count ? model.demoKey(.moveDown) : model.demoKey(.first)
    }

    private static let accept: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        model.openSheet != nil && count < 20 ? .character("y") : nil
    }

    private static let openChooser: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        model.demoChooser == nil && count < 5 ? model.demoKey(.restart) : nil
    }

    /// Down to a checkpoint that is older than the newest one, and waits there for the verdict on its files.
    private static let chooseOlder: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        count < 20 && model.demoChooser != nil && !model.isOnOlder ? model.demoKey(.moveDown) : nil
    }

    private static let toSheet: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        count < 5 && model.demoChooser != nil && model.openSheet == nil ? model.demoKey(.open) : nil
    }

    private static let leaveProof: @Sendable (Int, ConsoleModel) -> KeyPress? = { count, model in
        count < 5 && model.demoChooser != nil ? model.demoKey(.quit) : nil
    }
}

extension ConsoleModel {
    /// The key that the operator gave to a command, and nothing else: a script presses what people could press.
    fileprivate func demoKey(_ command: Command) -> KeyPress? { options.keyMap.keys(command).first }

    /// The job that the demo is about: the newest of its name.
    fileprivate var demoJob: JobReport? {
        live.contexts.flatMap { $0.report?.jobs ?? [] }.filter { $0.name == DemoScript.job }.max { $0.submittedAt < $1.submittedAt }
    }

    fileprivate var demoChooser: RestartChooser? {
        for case .chooser(let chooser) in modals { return chooser }
        return nil
    }

    /// The proof of the restart that the chooser watches.
    fileprivate var demoProof: RestartProof? {
        guard case .verify(let id) = demoChooser?.step else { return nil }
        return live.operations.first { $0.id == id }?.proof
    }

    /// The chooser's cursor is on a checkpoint, and a newer checkpoint can be restored too.
    fileprivate var isOnOlder: Bool {
        guard let chooser = demoChooser, let chosen = chooser.chosen(self)?.checkpoint, !chosen.kind.isSavepoint else { return false }
        return chooser.candidates(self).contains { ($0.checkpoint?.id ?? chosen.id) > chosen.id && $0.checkpoint?.kind.isSavepoint == false }
    }

    /// And its files have been read and are whole.
    fileprivate var isOlderChosen: Bool {
        guard isOnOlder, let chooser = demoChooser, let path = chooser.chosen(self)?.path,
            case .done(let inspection) = live.context(chooser.key.context)?.inspections[path]
        else { return false }
        return inspection.verdict == .ok
    }
}
