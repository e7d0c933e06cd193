/// A line of an engine's log: what happened to it, to a job or to a checkpoint, for the operator who asks why.
public struct EngineLogEntry: Codable, Sendable, Equatable {
    public enum Level: String, Codable, Sendable, CaseIterable { case info, warning, error }
    /// What the line is about.
    public enum Subject: String, Codable, Sendable, CaseIterable { case engine, job, task, checkpoint, operation }

    /// Rises by one with every line, also across runs of the engine.
    public var sequence: UInt64
    public var at: WallTime
    public var level: Level
    public var subject: Subject
    /// nil = it is about the engine as a whole.
    public var job: JobID?
    public var jobName: String?
    public var message: String

    public init(
        sequence: UInt64, at: WallTime, level: Level = .info, subject: Subject = .engine, job: JobID? = nil, jobName: String? = nil, message: String
    ) {
        self.sequence = sequence
        self.at = at
        self.level = level
        self.subject = subject
        self.job = job
        self.jobName = jobName
        self.message = message
    }

    /// Whether it is about this run of a job, or another one of its name.
    public func isAbout(_ id: JobID, named name: String) -> Bool { job == id || jobName != nil && jobName == name }
}
