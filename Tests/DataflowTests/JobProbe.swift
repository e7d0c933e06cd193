import Dataflow
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

extension Sandbox {
    func callAsFunction(_ name: String) -> String { self[name] }

    func names(_ name: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: self(name)).sorted() }

    /// All lines of all visible files of a sink's directory, sorted.
    func lines(_ name: String) throws -> [String] {
        try names(name).filter { $0.hasPrefix("part-") }.flatMap { file in
            try String(contentsOfFile: self(name) + "/" + file, encoding: .utf8).split(separator: "\n").map(String.init)
        }.sorted()
    }
}

/// Launches a job and waits for what its reports show, with a deadline.
final class JobProbe: Sendable {
    let job: RunningJob
    private let changes: Changes

    private final class Changes: @unchecked Sendable {
        // Sound: the condition is used under its mutex.
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(condition, nil)
        }
        func signal() {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        func wait(until deadline: timespec, _ isMet: () -> Bool) -> Bool {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            var deadline = deadline
            while !isMet() {
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return isMet() }
            }
            return true
        }
    }

    init(_ launch: JobLaunch) throws {
        let changes = Changes(), watcher = Watcher()
        (self.changes, self.watcher) = (changes, watcher)
        job = try RunningJob.launch(launch) { job in
            watcher.look(job.report())
            changes.signal()
        }
    }

    private let watcher: Watcher

    private final class Watcher: Sendable {
        private let body = Mutex<(@Sendable (JobReport) -> Void)?>(nil)
        func look(_ report: JobReport) { body.withLock { $0 }?(report) }
        func set(_ body: @escaping @Sendable (JobReport) -> Void) { self.body.withLock { $0 = body } }
    }

    /// Shows every report from now on, on the job's thread: also those that are replaced before a waiting test looks.
    func onReport(_ body: @escaping @Sendable (JobReport) -> Void) { watcher.set(body) }

    var report: JobReport { job.report() }

    /// Waits until a report satisfies the condition; fails the test with the last report when it does not within 120 s.
    @discardableResult
    func wait(_ what: String, sourceLocation: SourceLocation = #_sourceLocation, for isMet: @escaping (JobReport) -> Bool) throws -> JobReport {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += 120
        let met = changes.wait(until: deadline) { isMet(job.report()) }
        let report = job.report()
        try #require(
            met,
            "waited 120 s for: \(what); the job is \(report.state.rawValue), counts \(report.counts), last failure \(report.lastFailure?.message ?? "none")",
            sourceLocation: sourceLocation)
        return report
    }

    func waitForEnd(sourceLocation: SourceLocation = #_sourceLocation) throws -> JobReport {
        try wait("the end of the job", sourceLocation: sourceLocation) { _ in self.job.hasEnded }
    }

    /// Runs one of the job's asynchronous requests to its end.
    func request<Value: Sendable>(
        _ what: String, _ start: (@escaping @Sendable (Result<Value, JobError>) -> Void) -> Void
    ) throws -> Result<Value, JobError> {
        let box = AnswerBox<Value>(changes.signal)
        start { box.set($0) }
        try wait("the answer to \(what)") { _ in box.value != nil }
        return try #require(box.value)
    }

    private final class AnswerBox<Value: Sendable>: Sendable {
        private let answer = Mutex<Result<Value, JobError>?>(nil)
        private let onSet: @Sendable () -> Void
        init(_ onSet: @escaping @Sendable () -> Void) { self.onSet = onSet }
        func set(_ value: Result<Value, JobError>) {
            answer.withLock { $0 = value }
            onSet()
        }
        var value: Result<Value, JobError>? { answer.withLock { $0 } }
    }

    func savepoint() throws -> CheckpointReport {
        try request("savepoint") { job.savepoint(directory: nil, by: "test", started: { _ in }, completion: $0) }.get()
    }

    func checkpoint() throws -> Result<CheckpointReport, JobError> {
        try request("checkpoint") { job.checkpointNow(by: "test", started: { _ in }, completion: $0) }
    }

    func stop(drain: Bool) throws -> CheckpointReport {
        try request("stop") { job.stop(drain: drain, directory: nil, by: "test", started: { _ in }, completion: $0) }.get()
    }

    @discardableResult
    func cancel(_ retention: CancelRetention = .keep) throws -> JobReport {
        let report = try request("cancel") { job.cancel(retention, completion: $0) }.get()
        _ = try waitForEnd()
        return report
    }
}
