/// The replacement of a job's program: what was decided, how far it has come, and how it ended. Pure; whoever carries it out writes each change
/// down before acting on it, so that the next process goes on where this one ended.
///
/// ```
///                stop failed, job runs                                       watched
///   stopping ────────────────────────────> kept         proving ──> watching ──────> upgraded
///      │ stopped        launched                          ^  │           │
///      └────────> launching ──────────────────────────────┘  │ failed    │ failed, or aborted
///                     │ refused                              v           v
///                     └──────────────────────────────────> returning ──> provingReturn ──> rolledBack
///                                                              └──────────────┴──────────> stranded
/// ```
///
/// A stop that left no job and no savepoint ends as stranded, too. Where another run of the job is found in place of ours, stopping, launching and
/// returning end as superseded.
public struct Upgrade: Codable, Sendable, Equatable {
    public enum Stage: String, Codable, Sendable, CaseIterable {
        /// The old job takes a savepoint and stops.
        case stopping
        /// The new program is launched from it.
        case launching
        case proving
        case watching
        /// The old program is launched again from the savepoint, and the new job canceled before, where there is one.
        case returning
        case provingReturn
        case upgraded
        /// The old program runs again, proven.
        case rolledBack
        /// The old job never stopped.
        case kept
        /// Neither program is known to run.
        case stranded
        /// Somebody else has launched the job meanwhile.
        case superseded

        public var isFinal: Bool {
            switch self {
            case .upgraded, .rolledBack, .kept, .stranded, .superseded: true
            case .stopping, .launching, .proving, .watching, .returning, .provingReturn: false
            }
        }

        /// Whether an operator can still have the old program back.
        public var canAbort: Bool {
            switch self {
            case .launching, .proving, .watching: true
            case .stopping, .returning, .provingReturn, .upgraded, .rolledBack, .kept, .stranded, .superseded: false
            }
        }
    }

    public enum Event: Sendable, Equatable {
        case stopped(path: String)
        /// - isRunning: the job was seen to go on.
        case notStopped(String, isRunning: Bool)
        case launched(JobID)
        case refused(String)
        case proven
        case watched
        /// The new job does not hold, or nobody wants it.
        case failed(String)
        case launchedAgain(JobID)
        /// Another run of the job lives.
        case superseded(String)
    }

    /// Counts of the new job when the watch began.
    public struct Baseline: Codable, Sendable, Equatable {
        public var restarts, completed, failed: Int
        public init(restarts: Int, completed: Int, failed: Int) { (self.restarts, self.completed, self.failed) = (restarts, completed, failed) }
    }

    /// How long the new job is watched after its proof.
    public enum Watch: Codable, Sendable, Equatable {
        case checkpoints(Int)
        case span(Milliseconds)
    }

    public let id: OperationID
    /// The job that was replaced.
    public let job: JobID
    public let jobName: String
    public var by: String
    public var reason: String
    public let startedAt: WallTime
    /// The way back: what the old job was launched with, its jar by its id on the cluster.
    public let old: JarRecipe
    public let new: JarRecipe
    /// Where the savepoint goes; nil = as the cluster is configured.
    public let directory: String?
    public let allowsUnmatched: Bool
    public let watch: Watch
    /// How long the new job may take until it is proven.
    public let patience: Milliseconds
    public private(set) var stage: Stage = .stopping
    public private(set) var stageAt: WallTime
    /// The savepoint that both programs begin from.
    public private(set) var path: String?
    public private(set) var newJob: JobID?
    /// The job that runs the old program again.
    public private(set) var returned: JobID?
    /// Why it was rolled back, or ended otherwise.
    public private(set) var cause: String?
    /// What the watch compares with; nil = it has not begun.
    public var baseline: Baseline?
    /// How often each part was tried anew because nothing had been sent.
    private var retries: [String: Int] = [:]
    /// An operator wants the old program back.
    public var isAborted = false

    public init(
        id: OperationID, job: JobID, jobName: String, by: String, reason: String, startedAt: WallTime, old: JarRecipe, new: JarRecipe, directory: String?,
        allowsUnmatched: Bool, watch: Watch, patience: Milliseconds
    ) {
        (self.id, self.job, self.jobName, self.by, self.reason, self.startedAt) = (id, job, jobName, by, reason, startedAt)
        (self.old, self.new, self.directory, self.allowsUnmatched) = (old, new, directory, allowsUnmatched)
        (self.watch, self.patience, stageAt) = (watch, patience, startedAt)
    }

    /// Takes in what was seen. An event that does not belong to the stage changes nothing.
    /// - Returns: whether it changed anything.
    @discardableResult
    public mutating func take(_ event: Event, at now: WallTime) -> Bool {
        switch (stage, event) {
        case (.stopping, .stopped(let path)):
            self.path = path
            move(to: .launching, at: now)
        case (.stopping, .notStopped(let why, let isRunning)): end(isRunning ? .kept : .stranded, why, at: now)
        case (.launching, .launched(let job)):
            newJob = job
            move(to: .proving, at: now)
        case (.launching, .refused(let why)), (.launching, .failed(let why)), (.proving, .failed(let why)), (.watching, .failed(let why)):
            end(.returning, why, at: now)
        case (.proving, .proven): move(to: .watching, at: now)
        case (.watching, .watched): move(to: .upgraded, at: now)
        case (.returning, .launchedAgain(let job)):
            returned = job
            move(to: .provingReturn, at: now)
        case (.provingReturn, .proven): move(to: .rolledBack, at: now)
        case (.returning, .refused(let why)), (.returning, .failed(let why)), (.provingReturn, .failed(let why)):
            end(.stranded, cause.map { "\($0); and the way back failed: \(why)" } ?? why, at: now)
        case (.stopping, .superseded(let why)), (.launching, .superseded(let why)), (.returning, .superseded(let why)): end(.superseded, why, at: now)
        default: return false
        }
        return true
    }

    private mutating func move(to stage: Stage, at now: WallTime) { (self.stage, stageAt) = (stage, now) }

    private mutating func end(_ stage: Stage, _ why: String, at now: WallTime) {
        cause = why
        move(to: stage, at: now)
    }

    /// The operations it consists of. Their ids follow from the upgrade's, so that a process that goes on with it finds them.
    public enum Part: String, Sendable, CaseIterable { case stop, launch, back }

    public func operation(_ part: Part) -> OperationID? {
        let number = retries[part.rawValue].map { "\($0 + 1)" } ?? ""
        return OperationID("\(id)-\(part.rawValue)\(number)")
    }

    /// Nothing was sent for a part: the next try is another operation.
    public mutating func tryAgain(_ part: Part) { retries[part.rawValue, default: 0] += 1 }

    /// The operations of its launches that were begun so far, newest last.
    public func launches(_ part: Part) -> [OperationID] {
        (0...(retries[part.rawValue] ?? 0)).compactMap { OperationID("\(id)-\(part.rawValue)\($0 == 0 ? "" : "\($0 + 1)")") }
    }

    /// One line: how it stands, or how it ended.
    public var words: String {
        let from = path.map { " from \($0)" } ?? ""
        let why = cause.map { ": \($0)" } ?? ""
        return switch stage {
        case .stopping: "the old job is stopped with a savepoint"
        case .launching: "the new program is launched\(from)"
        case .proving: "job \(newJob?.description ?? "?") is to be proven\(from)"
        case .watching: "job \(newJob?.description ?? "?") is proven, and watched"
        case .returning: "the old program is launched again\(from)\(why)"
        case .provingReturn: "the old program runs again as job \(returned?.description ?? "?"), to be proven\(why)"
        case .upgraded: "upgraded: job \(newJob?.description ?? "?") runs the new program\(from)"
        case .rolledBack: "rolled back, proven: job \(returned?.description ?? "?") runs the old program\(from)\(why)"
        case .kept: "nothing was changed: the old job runs\(why)"
        case .stranded: "neither program is known to run\(why)"
        case .superseded: "given up, since another run of the job lives\(why)"
        }
    }
}
