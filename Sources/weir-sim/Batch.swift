internal import Glibc
internal import SimulationKit
internal import Synchronization

/// Runs many seeds on a few threads.
final class Batch: Sendable {
    private struct State {
        var next: UInt64
        var done = 0
        var faults = FaultCounts()
        var steps = 0
        var simulatedTime: Int64 = 0
        var processes = 0
        var failed: [SimulationReport] = []
    }

    private let end: UInt64
    private let mode: SimulationMode
    private let canary: Canary?
    private let printsHashes: Bool
    private let state: Mutex<State>
    private let began: timespec

    init(first: UInt64, count: Int, mode: SimulationMode, canary: Canary?, printsHashes: Bool) {
        end = first + UInt64(count)
        self.mode = mode
        self.canary = canary
        self.printsHashes = printsHashes
        state = Mutex(State(next: first))
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        began = now
    }

    var failed: [SimulationReport] { state.withLock { $0.failed.sorted { $0.seed < $1.seed } } }

    /// Runs the seeds; stops early once one has failed.
    func run(jobs: Int) {
        CrashNotice.install()
        var workers: [pthread_t] = []
        for number in 0..<jobs {
            final class Box {
                let batch: Batch, number: Int
                init(_ batch: Batch, _ number: Int) { (self.batch, self.number) = (batch, number) }
            }
            var thread = pthread_t()
            let box = Unmanaged.passRetained(Box(self, number))
            let status = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                    Simulation.stayOnThisProcessor(box.number)
                    box.batch.work(box.number)
                    return nil
                }, box.toOpaque())
            if status == 0 { workers.append(thread) } else { box.release() }
        }
        if workers.isEmpty { work(0) }
        for worker in workers { pthread_join(worker, nil) }
    }

    private func work(_ worker: Int) {
        var options = SimulationOptions()
        options.canary = canary
        options.mode = mode
        while let seed = takeSeed() {
            CrashNotice.note(seed, worker: worker)
            let report = Simulation.run(seed: seed, options: options)
            if printsHashes { print("\(seed) \(String(report.hash, radix: 16))") }
            state.withLock { state in
                state.done += 1
                state.faults += report.faults
                state.steps += report.steps
                state.simulatedTime += report.simulatedTime
                state.processes += report.processes
                if report.failure != nil { state.failed.append(report) }
            }
        }
    }

    private func takeSeed() -> UInt64? {
        state.withLock { state in
            guard state.failed.isEmpty, state.next < end else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    var summary: String {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let seconds = Double(now.tv_sec - began.tv_sec) + Double(now.tv_nsec - began.tv_nsec) * 1e-9
        return state.withLock { state in
            let figures = mode.kinds.map { "  \(state.faults[$0])\t\($0.rawValue)" }.joined(separator: "\n")
            return """
                \(state.done) seeds in \(tenths(seconds)) s: \(tenths(Double(state.done) / seconds)) seeds/s; \(state.steps) steps, \
                \(tenths(Double(state.simulatedTime) * 1e-9)) s simulated, \(state.processes) engine processes, \(state.failed.count) failed
                \(figures)
                """
        }
    }

    private func tenths(_ value: Double) -> String { "\(Double(Int(value * 10)) / 10)" }
}

/// Prints the running seeds when a trap ends the whole program.
enum CrashNotice {
    private static let maximum = 64
    private nonisolated(unsafe) static let seeds: UnsafeMutablePointer<UInt64> = {
        // Sound: each worker writes its own element; the handler reads when nothing runs any more.
        let seeds = UnsafeMutablePointer<UInt64>.allocate(capacity: maximum)
        seeds.initialize(repeating: 0, count: maximum)
        return seeds
    }()

    static func note(_ seed: UInt64, worker: Int) { if worker < maximum { seeds[worker] = seed } }

    static func install() {
        _ = seeds
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] {
            signal(number) { number in
                // No allocation here: digits by hand.
                CrashNotice.say("weir-sim: the program traps; seeds under way:")
                for index in 0..<CrashNotice.maximum where CrashNotice.seeds[index] != 0 { CrashNotice.say(CrashNotice.seeds[index]) }
                CrashNotice.say("\n")
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    private static func say(_ text: StaticString) { _ = write(2, text.utf8Start, text.utf8CodeUnitCount) }

    private static func say(_ number: UInt64) {
        var rest = number, divisor: UInt64 = 1
        while rest / divisor >= 10 { divisor *= 10 }
        var byte = UInt8(ascii: " ")
        _ = write(2, &byte, 1)
        while divisor > 0 {
            byte = UInt8(ascii: "0") + UInt8(rest / divisor)
            _ = write(2, &byte, 1)
            rest %= divisor
            divisor /= 10
        }
    }
}
