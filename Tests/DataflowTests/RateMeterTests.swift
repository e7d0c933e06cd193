import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

/// Rates compare a task with itself in the same attempt, whatever the counters of others were.
struct RateMeterTests {
    private let first = SubtaskID(vertex: 0, index: 0)

    private func reading(_ records: UInt64, written: UInt64 = 0, busy: Int64 = 0, index: Int = 0, parallelism: Int = 1) -> RateMeter.Reading {
        RateMeter.Reading(
            id: SubtaskID(vertex: 0, index: index), parallelism: parallelism, isSource: true, recordsIn: records, recordsOut: records, written: written,
            times: TaskTimes.Reading(busy: busy))
    }

    private func at(_ seconds: Int64) -> EngineInstant { EngineInstant(milliseconds: seconds * 1000) }

    @Test func `two ticks of an attempt give a rate, one gives none`() {
        var meter = RateMeter()
        meter.take([reading(1000)], attempt: 1, at: at(1))
        #expect(meter.rates(of: 0) == nil)
        #expect(meter.total == (0, 0))
        meter.take([reading(1500, written: 50, busy: 250_000_000)], attempt: 1, at: at(2))
        #expect(meter.rates(of: 0)?.recordsIn == 500)
        #expect(meter.total == (500, 50))
        #expect(meter.rates(of: 0)?.busy == 250)
    }

    @Test func `a new attempt begins with no rate, however high the last one had counted`() {
        var meter = RateMeter()
        meter.take([reading(4_000_000_000, written: 9)], attempt: 1, at: at(1))
        meter.take([reading(4_000_001_000, written: 9)], attempt: 1, at: at(2))
        meter.take([reading(7)], attempt: 2, at: at(3))
        #expect(meter.rates(of: 0) == nil)
        #expect(meter.total == (0, 0))
        meter.take([reading(27)], attempt: 2, at: at(4))
        #expect(meter.total == (20, 0))
    }

    @Test func `a counter that went back is a reset`() {
        var meter = RateMeter()
        meter.take([reading(1000, written: 900, busy: 5_000_000_000)], attempt: 1, at: at(1))
        meter.take([reading(30, written: 20)], attempt: 1, at: at(2))
        #expect(meter.rates(of: 0) == RateMeter.Rates(recordsIn: 30, recordsOut: 30, written: 20, isSource: true))
    }

    @Test func `no rates remain once the job has stopped running`() {
        var meter = RateMeter()
        meter.take([reading(10)], attempt: 1, at: at(1))
        meter.take([reading(20)], attempt: 1, at: at(2))
        meter.forget()
        #expect(meter.rates(of: 0) == nil && meter.total == (0, 0) && meter.hottestSubtask(of: 0) == nil)
        meter.take([reading(30)], attempt: 1, at: at(3))
        #expect(meter.rates(of: 0) == nil)
    }

    @Test func `counters of any value give rates within bounds`() {
        var meter = RateMeter()
        for (second, value) in [0, UInt64.max, 1, UInt64.max / 2, 0, UInt64.max].enumerated() {
            meter.take(
                [reading(value, written: value, busy: Int64(clamping: value), parallelism: 2), reading(value, busy: .min, index: 1, parallelism: 2)],
                attempt: 1,
                at: at(Int64(second)))
            guard let rates = meter.rates(of: 0) else { continue }
            #expect(rates.recordsIn >= 0 && rates.recordsIn <= 2 * Double(UInt64.max) && (0...1000).contains(rates.busy) && (0...1000).contains(rates.idle))
        }
    }

    /// An old address is soon given to something new: attempts that end and begin again and again had wrapped their rates.
    @Test func `a job in a restart loop shows no rate above its input`() throws {
        let place = Sandbox()
        var counting = CountingJob(directory: place("checkpoints"), output: place("out"))
        (counting.records, counting.rate) = (4_000_000, 40_000)
        counting.restart = .fixedDelay(attempts: 1000, delay: 1)
        let probe = try JobProbe(counting.launch())
        let worst = Atomic<UInt64>(0), ghosts = Atomic<Int>(0)
        probe.onReport { report in
            let rates: [Double] =
                (report.vertices.flatMap { [$0.recordsInPerSecond, $0.recordsOutPerSecond] }
                + [report.throughput.recordsReadPerSecond, report.throughput.recordsWrittenPerSecond]).compactMap { $0 }
            worst.store(max(worst.load(ordering: .relaxed), UInt64(clamping: rates.max() ?? 0)), ordering: .relaxed)
            if report.state != .running, rates.contains(where: { $0 != 0 }) || report.vertices.contains(where: { $0.busyPermille != nil }) {
                ghosts.add(1, ordering: .relaxed)
            }
        }
        for restart in 0..<8 {
            // Long enough for two ticks, so that there are rates to be wrong.
            try probe.wait("rates") { $0.restarts == restart && $0.state == .running && $0.throughput.recordsReadPerSecond ?? 0 > 0 }
            try probe.job.fault("crash")
            try probe.wait("the restart") { $0.restarts == restart + 1 }
        }
        try probe.cancel()
        #expect(worst.load(ordering: .relaxed) < 10_000_000)
        #expect(ghosts.load(ordering: .relaxed) == 0)
    }
}
