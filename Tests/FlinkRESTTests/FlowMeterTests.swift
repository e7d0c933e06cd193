// Goal: a rate is that of the records, whoever looked when, and no restart makes one up. Method: a counter with a known rate, read by Flink
// every ten seconds and looked at at other moments.

import StreamModel
import Testing

@testable import FlinkREST

@Suite struct FlowMeterTests {
    private func time(_ seconds: Double) -> WallTime { WallTime(milliseconds: Int64(seconds * 1000)) }

    /// Flink's readings are ten seconds apart; the answer that is looked at has the last one.
    private func watch(_ meter: inout FlowMeter, from start: Double, to end: Double, every pause: Double, hasClock: Bool, count: (Double) -> Double) {
        for moment in stride(from: start, through: end, by: pause) {
            let reading = (moment / 10.3).rounded(.down) * 10.3
            let clock = hasClock ? MetricClock(elapsed: (reading + 100) * 1000, subtasks: 2) : nil
            meter.take(Int64(count(reading)), clock: clock, at: time(moment))
        }
    }

    @Test(arguments: [1.0, 4.2, 8.4, 14, 31]) func withTheClockOfTheTasksARateIsExact(pause: Double) {
        var meter = FlowMeter()
        watch(&meter, from: 3, to: 3 + 3 * max(pause, 10.3), every: pause, hasClock: true) { 1000 + $0 * 2000 }
        #expect(abs((meter.rate ?? 0) - 2000) < 2, "\(String(describing: meter.rate))")
    }

    @Test(arguments: [0.5, 2, 3, 4.2, 8.4]) func withoutOneItIsWithinAFifthOrNotTold(pause: Double) {
        for phase in stride(from: 0.0, to: pause, by: 0.5) {
            var meter = FlowMeter()
            var toldAt: Double?
            for moment in stride(from: phase, through: 120, by: pause) {
                meter.take(Int64(1000 + (moment / 10.3).rounded(.down) * 10.3 * 2000), at: time(moment))
                if let rate = meter.rate { #expect(abs(rate - 2000) <= 2000 * 0.21, "\(rate) at \(moment), looked at every \(pause) s from \(phase)") }
                if meter.rate != nil { toldAt = toldAt ?? moment }
            }
            #expect(toldAt.map { pause > 3 || $0 < 40 } == true, "two whole intervals after the first change: \(String(describing: toldAt))")
        }
    }

    @Test func aFirstValueOfUnknownAgeIsNoMeasure() {
        var meter = FlowMeter()
        meter.take(0, at: time(0))
        meter.take(72_000, at: time(2))
        #expect(meter.rate == nil, "not 36,000 a second")
        watch(&meter, from: 4, to: 50, every: 2, hasClock: false) { 72_000 + $0 * 500 }
        #expect((400...600).contains(meter.rate ?? 0))
    }

    @Test(arguments: [false, true]) func aRestartIsNoSpike(hasClock: Bool) {
        var meter = FlowMeter()
        watch(&meter, from: 0, to: 60, every: 2, hasClock: hasClock) { 50_000 + $0 * 2000 }
        #expect(abs((meter.rate ?? 0) - 2000) < 500)
        // The tasks begin anew at 62: first one of two has told its count, then both have.
        for moment in stride(from: 62.0, through: 110, by: 2) {
            let reading = ((moment - 62) / 10).rounded(.down) * 10
            let isHalf = reading < 10
            let clock = hasClock ? MetricClock(elapsed: reading * 1000 + 500, subtasks: isHalf ? 1 : 2) : nil
            meter.take(Int64((reading + 0.5) * (isHalf ? 1000 : 2000)), clock: clock, at: time(moment))
            if let rate = meter.rate { #expect((1600...2400).contains(rate), "\(rate) at \(moment)") }
        }
        #expect(meter.rate != nil)
    }

    /// Tasks that begin anew and have already counted more than those before them.
    @Test func aClockThatRunsBackwardsIsANewBeginning() {
        var meter = FlowMeter()
        meter.take(100, clock: MetricClock(elapsed: 50_000, subtasks: 2), at: time(0))
        meter.take(200, clock: MetricClock(elapsed: 60_000, subtasks: 2), at: time(10))
        #expect(meter.rate == 10)
        meter.take(9000, clock: MetricClock(elapsed: 3000, subtasks: 2), at: time(20))
        #expect(meter.rate == nil)
        meter.take(39_000, clock: MetricClock(elapsed: 13_000, subtasks: 2), at: time(30))
        #expect(meter.rate == 3000)
    }

    @Test func standingStillIsARateOfNothing() {
        var meter = FlowMeter()
        watch(&meter, from: 0, to: 50, every: 2, hasClock: true) { $0 * 100 }
        watch(&meter, from: 52, to: 64, every: 2, hasClock: true) { _ in 4120 }
        #expect(meter.rate == 0, "the clock went on, the count did not")
        var still = FlowMeter()
        for second in [0.0, 26] { still.take(5, at: time(second)) }
        #expect(still.rate == 0)
    }

    @Test func tasksThatTellNothingAnyMoreHaveNoRate() {
        var meter = FlowMeter()
        for second in [0.0, 10, 20] { meter.take(Int64(second * 100), clock: MetricClock(elapsed: 1000 + second * 1000, subtasks: 1), at: time(second)) }
        #expect(meter.rate == 100)
        for second in stride(from: 22.0, through: 50, by: 2) { meter.take(2000, clock: MetricClock(elapsed: 21_000, subtasks: 1), at: time(second)) }
        #expect(meter.rate == nil)
    }
}
