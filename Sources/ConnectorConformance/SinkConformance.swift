internal import CheckpointStore
public import Dataflow
internal import StreamModel

/// Checks a two-phase sink against the contract of the article *Connectors*: plays jobs, checkpoints, crashes and restarts on it, as the engine
/// would, and compares the visible output with the committed one.
public struct SinkConformance<Sink: TwoPhaseSink> {
    private let make: () throws -> Bench
    private let record: (_ number: Int) -> Sink.Element

    /// A sink with its own place, empty at first.
    public struct Bench {
        /// A new instance of the sink, as made by a new process.
        public var sink: () throws -> Sink
        /// Numbers of the records now visible to a reader of the output; those of one subtask and checkpoint in their order.
        public var visible: () throws -> [Int]
        /// Removes prepared but uncommitted output, as a careless user might; nil = impossible.
        public var destroyPrepared: (() throws -> Void)?

        public init(sink: @escaping () throws -> Sink, visible: @escaping () throws -> [Int], destroyPrepared: (() throws -> Void)? = nil) {
            self.sink = sink
            self.visible = visible
            self.destroyPrepared = destroyPrepared
        }
    }

    /// Creates a check.
    /// - Parameters:
    ///   - record: the record of a number.
    ///   - make: a new bench for every scenario.
    public init(record: @escaping (_ number: Int) -> Sink.Element, _ make: @escaping () throws -> Bench) {
        self.record = record
        self.make = make
    }

    /// All violations found, including unexpected errors of the sink.
    public func violations() -> [Violation] {
        scenarios.flatMap { rule, scenario -> [Violation] in
            do {
                let play = try Play(bench: make(), record: record)
                try scenario(play)
                return play.violations
            } catch { return [Violation(rule: rule, detail: "unexpected error: \(error)")] }
        }
    }

    private var scenarios: [(Violation.Rule, (Play) throws -> Void)] {
        [
            (.commitShowsExactlyThat, plain), (.commitIsIdempotent, twice), (.recoversBetweenPhases, crashBetweenPhases),
            (.recoversHalfDoneCommits, crashInCommit), (.abortsWhatIsNotListed, abort), (.listedAgainIsCommittedOnce, failedCheckpoint),
            (.rotatesAtTheBarrier, rotation), (.unknownIsAnError, unknown), (.keepsOrder, order),
            (.survivesRescale, rescale), (.hasOneOwner, ownership),
        ]
    }

    private func plain(_ play: Play) throws {
        try play.start(parallelism: 2)
        for round in 0..<3 {
            try play.write(0..<4)
            play.expectVisible(.invisibleBeforeCommit, "records were written, no barrier came")
            try play.checkpoint()
            play.expectVisible(.invisibleBeforeCommit, "checkpoint \(round + 1) is prepared")
            try play.commit()
            play.expectVisible(.commitShowsExactlyThat, "after checkpoint \(round + 1)")
        }
        // A checkpoint without a record.
        try play.checkpoint()
        try play.commit()
        play.expectVisible(.commitShowsExactlyThat, "after an empty checkpoint")
    }

    private func twice(_ play: Play) throws {
        try play.start(parallelism: 2)
        try play.write(0..<5)
        try play.checkpoint()
        let listed = play.manifest
        try play.commit()
        try play.commit(listed, rule: .commitIsIdempotent)
        try play.commit(listed, isRecovery: true, rule: .commitIsIdempotent)
        play.expectVisible(.commitIsIdempotent, "after three commits of the same")
    }

    private func crashBetweenPhases(_ play: Play) throws {
        try play.start(parallelism: 2)
        try play.write(0..<3)
        try play.checkpoint()
        try play.commit()
        try play.write(0..<3)
        try play.checkpoint()
        play.crash()
        try play.start(parallelism: 2)
        play.expectVisible(.recoversBetweenPhases, "after the restart")
        // A crash right after the recovery, then everything once more.
        play.crash()
        try play.start(parallelism: 2)
        play.expectVisible(.recoversBetweenPhases, "after the second restart")
    }

    private func crashInCommit(_ play: Play) throws {
        try play.start(parallelism: 3)
        try play.write(0..<3)
        try play.checkpoint()
        try play.commit(Array(play.manifest.prefix(play.manifest.count / 2 + 1)), rule: .recoversHalfDoneCommits)
        play.crash()
        try play.start(parallelism: 3)
        play.expectVisible(.recoversHalfDoneCommits, "after the restart")
    }

    private func abort(_ play: Play) throws {
        try play.start(parallelism: 2)
        try play.write(0..<3)
        try play.checkpoint()
        try play.commit()
        // Prepared, but its checkpoint never became durable; then records that were not even prepared.
        try play.write(0..<3)
        try play.prepareOnly()
        try play.write(0..<2)
        play.crash()
        play.forgetUnlisted()
        try play.start(parallelism: 2)
        play.expectVisible(.abortsWhatIsNotListed, "after the restart")
        // The source repeats the lost records.
        try play.write(0..<4)
        try play.checkpoint()
        try play.commit()
        play.expectVisible(.abortsWhatIsNotListed, "after the records were written again")
    }

    private func failedCheckpoint(_ play: Play) throws {
        try play.start(parallelism: 2)
        try play.write(0..<3)
        try play.prepareOnly()
        try play.write(0..<3)
        try play.checkpoint()
        try play.commit()
        play.expectVisible(.listedAgainIsCommittedOnce, "the second checkpoint lists the output of the first, which failed")
        // The next barrier comes before the subtasks hear of the commit: listed again, committed again.
        try play.write(0..<2)
        try play.checkpoint()
        let before = play.manifest
        try play.write(0..<2)
        try play.checkpoint()
        try play.commit(before, rule: .listedAgainIsCommittedOnce)
        try play.commit()
        play.expectVisible(.listedAgainIsCommittedOnce, "two checkpoints list the same output")
    }

    private func rotation(_ play: Play) throws {
        try play.start(parallelism: 1)
        try play.write(0..<3)
        try play.checkpoint(writingBeforeItIsDurable: 2)
        try play.commit()
        play.expectVisible(.rotatesAtTheBarrier, "two records were written behind the barrier")
        try play.checkpoint()
        try play.commit()
        play.expectVisible(.rotatesAtTheBarrier, "after the next checkpoint")
    }

    private func unknown(_ play: Play) throws {
        try play.start(parallelism: 1)
        try play.write(0..<3)
        try play.checkpoint()
        let listed = play.manifest
        guard let good = listed.first else {
            return play.violate(.commitShowsExactlyThat, "three records were written and nothing is listed")
        }
        var garbage = good, foreign = good, cut = good, otherType = good
        garbage.payload = [0xDE, 0xAD, 0xBE, 0xEF]
        foreign.uid = "somebody-else"
        cut.payload = Array(good.payload.dropLast())
        otherType.type = "another-type-1"
        for (committable, what) in [(garbage, "garbage"), (foreign, "another sink's"), (cut, "cut"), (otherType, "of another type")] {
            for isRecovery in [false, true] {
                if play.accepts([committable], isRecovery: isRecovery) { play.violate(.unknownIsAnError, "one that is \(what) was committed") }
            }
        }
        play.expectVisible(.unknownIsAnError, "after commits that had to be refused")
        if let destroy = play.bench.destroyPrepared {
            try destroy()
            for isRecovery in [false, true] where play.accepts(listed, isRecovery: isRecovery) {
                play.violate(.unknownIsAnError, "output that is gone was taken for committed")
            }
        }
    }

    private func order(_ play: Play) throws {
        try play.start(parallelism: 1)
        for _ in 0..<3 {
            try play.write(0..<20)
            try play.write(0..<20)
            try play.checkpoint()
            try play.commit()
        }
        let visible = try play.bench.visible()
        if visible != visible.sorted() { play.violate(.keepsOrder, "\(visible.prefix(100))") }
        play.expectVisible(.keepsOrder, "in order or not")
    }

    /// Starts a second job of the lineage while the first lives, then lets it take over.
    private func ownership(_ play: Play) throws {
        try play.start(parallelism: 2)
        try play.write(0..<3)
        try play.checkpoint()
        try play.commit()
        let rival = play.rival()
        // Listed by no checkpoint known to the second: it would be given up.
        try play.write(0..<3)
        try play.prepareOnly()
        guard rival.isRefused(parallelism: 2) else { return fencing(play, rival) }
        do {
            try play.checkpoint()
            try play.commit()
        } catch { play.violate(.hasOneOwner, "a second owner was refused, yet the first cannot commit any more: \(error)") }
        play.expectVisible(.hasOneOwner, "after a second owner was refused")
        play.crash()
        // A restart takes the place at once.
        try play.start(parallelism: 2)
        play.expectVisible(.hasOneOwner, "after the owner ended and another came")
        play.crash()
    }

    /// Checks that the first owner is fenced after the second was admitted.
    private func fencing(_ play: Play, _ rival: Play) {
        play.forgetUnlisted()
        do {
            try play.write(0..<3)
            try play.checkpoint()
            try play.commit()
            play.violate(.hasOneOwner, "the second owner was let in, and the first still committed")
        } catch {
            // As expected.
        }
        rival.expectVisible(.hasOneOwner, "after the second owner took the place")
        rival.crash()
        play.crash()
        play.take(rival.violations)
    }

    private func rescale(_ play: Play) throws {
        for parallelism in [2, 3, 1, 4] {
            try play.start(parallelism: parallelism)
            try play.write(0..<3)
            try play.checkpoint()
            if parallelism != 3 { try play.commit() }
            play.crash()
        }
        try play.start(parallelism: 2)
        play.expectVisible(.survivesRescale, "over parallelism 2, 3, 1, 4, 2")
    }
}

extension SinkConformance {
    /// A job without an engine: numbers its records and tracks the output of a correct sink.
    private final class Play {
        let bench: Bench
        private(set) var violations: [Violation] = []
        /// Committables of the newest durable checkpoint.
        private(set) var manifest: [Committable] = []

        private let record: (Int) -> Sink.Element
        private let host = MachineHost()
        private let job: JobIdentity
        private var owned = OutputOwnership.none
        private let uid = "sink"
        private var sink: Sink?
        private var writers: [Sink.Writer] = []
        private var state: [[UInt8]] = []
        private var attempt = 0
        private var checkpoint: UInt64 = 0
        private var restored: UInt64 = 0
        private var next = 0
        /// Records written since the last barrier; prepared, by barrier; to be committed; committed.
        private var open: [Int] = []
        private var prepared: [(checkpoint: UInt64, outputs: [(subtask: Int, output: PreparedOnce)], records: [Int])] = []
        private var listed: [UInt64: [Int]] = [:]
        private var committed: [Int] = []

        /// Output listed more than once, but made durable once.
        private final class PreparedOnce {
            private let output: PreparedOutput
            private var made: [[UInt8]]?
            init(_ output: PreparedOutput) { self.output = output }
            func payloads() throws -> [[UInt8]] {
                if let made { return made }
                let payloads = try output.payloads()
                made = payloads
                return payloads
            }
        }

        init(bench: Bench, number: UInt64 = 12, record: @escaping (Int) -> Sink.Element) {
            self.bench = bench
            self.record = record
            job = JobIdentity(id: JobID(high: 11, low: number), lineage: JobID(high: 11, low: 12), name: "conformance")
        }

        /// Another job of the lineage, about to start from the newest durable checkpoint.
        func rival() -> Play {
            let rival = Play(bench: bench, number: 13, record: record)
            (rival.manifest, rival.state, rival.checkpoint, rival.restored) = (manifest, state, checkpoint, restored)
            (rival.next, rival.listed, rival.committed) = (next, listed, committed)
            return rival
        }

        /// Starts, and returns whether another owner was reported.
        func isRefused(parallelism: Int) -> Bool {
            do {
                try start(parallelism: parallelism)
                return false
            } catch { return true }
        }

        func take(_ others: [Violation]) { violations += others }

        func violate(_ rule: Violation.Rule, _ detail: String) { violations.append(Violation(rule: rule, detail: detail)) }

        /// Starts a new process: prepares, finishes the commits of the newest durable checkpoint, makes the writers.
        func start(parallelism: Int) throws {
            attempt += 1
            let sink = try bench.sink()
            self.sink = sink
            owned = try sink.claim(SinkClaim(uid: uid, job: job, host: host))
            let shared = try sink.prepare(
                SinkPreparation(
                    uid: uid, job: job, state: state, nextCheckpoint: CheckpointID(checkpoint + 1), uncommitted: manifest, host: host,
                    ownership: owned))
            if restored > 0 { try sink.commit(manifest, context(isRecovery: true)) }
            for records in listed.values { committed += records }
            listed = [:]
            writers = try (0..<parallelism).map {
                try sink.makeWriter(SinkSubtask(uid: uid, index: $0, parallelism: parallelism, attempt: attempt, job: job, host: host), shared)
            }
        }

        /// Writes records for every subtask, one batch each.
        func write(_ count: Range<Int>) throws {
            for index in writers.indices {
                let numbers = Array(next..<next + count.count)
                next += count.count
                open += numbers
                var batch = numbers.map(record)
                try batch.withUnsafeMutableBufferPointer { try writers[index].write($0) }
            }
        }

        private func barrier() throws {
            checkpoint += 1
            var outputs: [(Int, PreparedOnce)] = []
            for index in writers.indices {
                outputs += try writers[index].prepareCommit(at: CheckpointID(checkpoint)).map { (index, PreparedOnce($0)) }
            }
            prepared.append((checkpoint, outputs, open))
            open = []
        }

        /// Begins a checkpoint that fails before it is durable.
        func prepareOnly() throws {
            try barrier()
            for (_, output) in prepared[prepared.count - 1].outputs { _ = try output.payloads() }
        }

        /// Completes a checkpoint that lists everything not known to be committed.
        func checkpoint(writingBeforeItIsDurable extra: Int = 0) throws {
            try barrier()
            let newState = Sink.stateType == nil ? [] : writers.first?.state(at: CheckpointID(checkpoint)) ?? []
            if extra > 0 { try write(0..<extra) }
            var listing: [Committable] = []
            for (_, outputs, _) in prepared {
                for (subtask, output) in outputs {
                    listing += try output.payloads().map { Committable(uid: uid, subtask: subtask, type: Sink.committableType, payload: $0) }
                }
            }
            manifest = listing
            state = newState
            restored = checkpoint
            for (number, _, records) in prepared { listed[number] = records }
        }

        private func context(isRecovery: Bool) -> CommitContext {
            CommitContext(uid: uid, checkpoint: CheckpointID(restored), isRecovery: isRecovery, host: host, ownership: owned)
        }

        /// Commits the newest durable checkpoint and notifies the writers.
        func commit() throws {
            try sink?.commit(manifest, context(isRecovery: false))
            for records in listed.values { committed += records }
            listed = [:]
            prepared.removeAll { $0.checkpoint <= restored }
            for index in writers.indices { writers[index].committed(CheckpointID(restored)) }
        }

        /// Commits without notifying the writers; an error is a violation.
        func commit(_ committables: [Committable], isRecovery: Bool = false, rule: Violation.Rule) throws {
            do { try sink?.commit(committables, context(isRecovery: isRecovery)) } catch { violate(rule, "the commit failed: \(error)") }
        }

        func accepts(_ committables: [Committable], isRecovery: Bool) -> Bool {
            do {
                try sink?.commit(committables, context(isRecovery: isRecovery))
                return true
            } catch { return false }
        }

        /// Ends the process; records written since the last durable checkpoint will be read again from the source.
        func crash() {
            for index in writers.indices { writers[index].close() }
            // The end of the process would release it.
            owned.release()
            owned = .none
            writers = []
            sink = nil
            open = []
            prepared = []
        }

        /// Stops expecting prepared output that no checkpoint lists.
        func forgetUnlisted() { prepared = [] }

        func expectVisible(_ rule: Violation.Rule, _ when: String) {
            do {
                if let difference = difference(try bench.visible(), committed) { violate(rule, "\(when): \(difference)") }
            } catch { violate(rule, "\(when): the output cannot be read: \(error)") }
        }
    }
}
