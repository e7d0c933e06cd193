import CheckpointStore
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: a disk that is full for a while costs a job time and nothing else. Method: real threads and files, a disk that refuses to write.
@Suite struct ShortageTests {
    /// Writes the numbers 0 ..< records as they come.
    private struct Numbers: StreamJob {
        var records: UInt64 = 60_000
        var attempts = 3
        let place: Sandbox
        var name: String { "numbers" }

        func build(_ environment: StreamEnvironment) throws {
            environment.checkpoints.interval = 50
            environment.checkpoints.storageDirectory = place("checkpoints")
            environment.checkpoints.retention = .retainOnCancellation
            environment.restartStrategy = .fixedDelay(attempts: attempts, delay: 10)
            environment.allowsFaults = true
            environment.read(GeneratorSource<UInt64>(count: records, rate: 20_000, splits: 4) { $0.sequence }, name: "numbers").uid("numbers")
                .rebalance().uid("deal")
                .write(to: .lines(directory: place("out")) { String($0) }).uid("sink")
        }

        func launch(host: any EngineHost) -> JobLaunch {
            var launch = JobLaunch(id: .random, job: self, parallelism: 2, storageRoot: place("checkpoints"), submittedAt: WallTime(milliseconds: 0))
            launch.host = host
            return launch
        }

        func expectExact(sourceLocation: SourceLocation = #_sourceLocation) throws {
            let found = try place.lines("out").compactMap { UInt64($0) }.sorted()
            #expect(found == Array(0..<records), "\(found.count) lines, \(Set(found).count) different, of \(records)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [ENOSPC, EDQUOT, EFBIG, EMFILE] as [Int32])
    func `a sink that cannot write waits and resumes automatically`(_ number: Int32) throws {
        let place = Sandbox(), host = FullHost()
        let out = place("out")
        let job = Numbers(place: place)
        let probe = try JobProbe(job.launch(host: host))
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        host.refuse(number) { $0.hasPrefix(out) }
        let waiting = try probe.wait("the wait") { $0.state == .restarting && $0.restartDelay == .seconds(2) }
        #expect(waiting.restartReason?.contains("on \(out): ") == true, "\(waiting.restartReason ?? "-")")
        #expect(waiting.restartReason?.hasSuffix("tried again in 2 s") == true, "\(waiting.restartReason ?? "-")")
        host.refuse(0, nil)
        let end = try probe.waitForEnd()
        #expect(end.state == .finished && end.restarts >= 2)
        try job.expectExact()
    }

    @Test func `more waits than the strategy has attempts, then an ordinary failure`() throws {
        let place = Sandbox(), host = FullHost()
        let job = Numbers(records: 2_000_000, attempts: 1, place: place)
        let out = place("out")
        let probe = try JobProbe(job.launch(host: host))
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        host.refuse(ENOSPC) { $0.hasPrefix(out) }
        try probe.wait("the third wait") { $0.state == .restarting && $0.restartDelay == .seconds(4) }
        #expect(probe.job.failures().count == 2)
        host.refuse(0, nil)
        let back = try probe.wait("the attempt to run") { $0.state == .running && $0.runningSubtasks == $0.totalSubtasks }
        try probe.job.fault("crash")
        try probe.wait("the one restart that it has") { $0.state == .running && $0.restarts == back.restarts + 1 && $0.runningSubtasks > 0 }
        try probe.cancel()
    }

    @Test func `checkpoints without space make the job wait`() throws {
        let place = Sandbox(), host = FullHost()
        let checkpoints = place("checkpoints"), job = Numbers(place: place)
        let probe = try JobProbe(job.launch(host: host))
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        host.refuse(ENOSPC) { $0.hasPrefix(checkpoints) }
        let waiting = try probe.wait("the wait") { $0.state == .restarting }
        #expect(waiting.counts.failed >= 1)
        #expect(waiting.restartReason?.contains("no space left on device on \(checkpoints)") == true, "\(waiting.restartReason ?? "-")")
        host.refuse(0, nil)
        #expect(try probe.waitForEnd().state == .finished)
        try job.expectExact()
    }
}

/// The real machine with a disk that takes no more bytes below chosen paths.
private final class FullHost: EngineHost {
    private let machine = MachineHost()
    private let refusal = Refusal()

    final class Refusal: Sendable {
        private let rule = Mutex<(errno: Int32, paths: (@Sendable (String) -> Bool)?)>((0, nil))
        private let names = Mutex<[Int32: String]>([:])

        func set(_ errno: Int32, _ paths: (@Sendable (String) -> Bool)?) { rule.withLock { $0 = (errno, paths) } }
        func opened(_ file: OpenFile, _ path: String) { names.withLock { $0[file.descriptor] = path } }
        func check(_ operation: FileOperation, _ path: String) throws(FilesystemError) {
            let (errno, paths) = rule.withLock { $0 }
            if paths?(path) == true { throw FilesystemError(operation, errno: errno) }
        }
        func check(_ operation: FileOperation, _ file: OpenFile) throws(FilesystemError) {
            try check(operation, names.withLock { $0[file.descriptor] } ?? "")
        }
    }

    func refuse(_ errno: Int32, _ paths: (@Sendable (String) -> Bool)?) { refusal.set(errno, paths) }
    func now() -> EngineInstant { machine.now() }
    func wall() -> WallTime { machine.wall() }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { FullFilesystem(refusal: refusal) }
    func makeParker() -> any Parker { machine.makeParker() }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }
}

private struct FullFilesystem: ForwardingFilesystem {
    let refusal: FullHost.Refusal

    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile {
        try refusal.check(.create, path)
        let file = try base.createExclusive(path)
        refusal.opened(file, path)
        return file
    }
    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile {
        let file = try base.openForUpdating(path)
        refusal.opened(file, path)
        return file
    }
    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) {
        try refusal.check(.write, file)
        try base.write(bytes, to: file)
    }
    func makeDirectory(_ path: String) throws(FilesystemError) {
        try refusal.check(.makeDirectory, path)
        try base.makeDirectory(path)
    }
}
