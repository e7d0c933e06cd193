import Dataflow
import Foundation
import StreamModel

guard CommandLine.arguments.count == 4 else {
    print("Usage: hot-sensors INPUT OUTPUT STATE (absolute paths; OUTPUT and STATE are new ones for new work)")
    exit(1)
}
let input = CommandLine.arguments[1], output = CommandLine.arguments[2], state = CommandLine.arguments[3]

var launch = JobLaunch(
    // The same id at every start: the job finds the checkpoints of the run before it.
    id: JobID(high: 0, low: 1), job: HotSensors(input: input, output: output), parallelism: 2, storageRoot: state,
    submittedAt: WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)))
// After a kill -9 it goes on from its newest checkpoint.
launch.recovers = FileManager.default.fileExists(atPath: state + "/" + launch.id.description)

do {
    let ended = DispatchSemaphore(value: 0)
    let job = try RunningJob.launch(launch) { if $0.hasEnded { ended.signal() } }
    ended.wait()
    let report = job.report()
    print("\(report.name) \(report.state.rawValue): \(report.throughput.recordsRead) read, \(report.throughput.recordsWritten) written")
    if let failure = report.lastFailure { print(failure.message) }
    exit(report.state == .finished ? 0 : 1)
} catch {
    print(error)
    exit(1)
}
