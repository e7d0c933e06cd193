// Goal: an operator is called when a job becomes bad, once, and not by one that flaps or is muted. Method: the edge detector alone, against a
// walk with a plain model of it, and a console that is told of jobs on a clock of the test.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct AlarmTests {
    private func at(_ seconds: Int64) -> WallTime { Sample.start + .seconds(seconds) }

    /// The seconds in which it rings, of a severity a second.
    private func rings(_ severities: [Severity], from level: Severity = .ok) -> [Int] {
        var alarm = Alarm(at: level)
        return severities.enumerated().filter { alarm.observe($0.element, at: at(Int64($0.offset))) }.map(\.offset)
    }

    private func held(_ severity: Severity, _ count: Int) -> [Severity] { Array(repeating: severity, count: count) }

    @Test func anAlarmRingsOnceAtTheEdge() {
        #expect(rings(held(.ok, 3) + held(.warn, 100)) == [3])
        #expect(rings(held(.warn, 3) + held(.crit, 100)) == [0, 3])
        #expect(rings(held(.crit, 100), from: .crit) == [])
        #expect(rings([.ok, .run, .unknown, .ok]) == [])
    }

    @Test func whatFlapsRingsOnce() {
        #expect(rings((0..<100).map { $0 % 2 == 0 ? .warn : .ok }) == [0])
        #expect(rings((0..<100).map { $0 % 3 == 0 ? .crit : .warn }) == [0])
        #expect(rings((0..<100).map { $0 % 14 == 0 ? .crit : .ok }) == [0])
    }

    @Test func whatWasWellForAWhileRingsAgain() {
        let calm = Int(Alarm.calm.count / 1000)
        #expect(rings([.crit] + held(.ok, calm) + [.crit]) == [0], "one second short of it")
        #expect(rings([.crit] + held(.ok, calm + 1) + [.crit]) == [0, calm + 2])
        // It fell to a warning only, so a warning is no news and a failure is.
        #expect(rings([.crit] + held(.warn, calm + 1) + [.warn, .crit]) == [0, calm + 3])
        #expect(rings([.crit, .ok, .warn] + held(.ok, calm) + [.warn, .crit]) == [0, calm + 4])
    }

    @Test func aClockThatIsSetBackDelaysAndNeverRings() {
        var alarm = Alarm(at: .crit)
        var rung: [Int64] = []
        func observe(_ severity: Severity, _ time: Int64) { if alarm.observe(severity, at: at(time)) { rung.append(time) } }
        for time in [100, 101, 5, 6, 7] as [Int64] { observe(.ok, time) }
        observe(.crit, 8)
        for time in 9...25 as ClosedRange<Int64> { observe(.ok, time) }
        #expect(rung.isEmpty)
        observe(.crit, 26)
        #expect(rung == [26])
    }

    @Test func anAlarmNeverRingsTwiceWithinTheCalm() {
        for seed in 0..<200 as Range<UInt64> {
            var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
            var alarm = Alarm(), last: [Severity: Int64] = [:]
            for second in 0..<400 as Range<Int64> {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17
                // Mostly well, so that it has a chance to calm down.
                let severity: Severity = [.ok, .ok, .ok, .ok, .ok, .ok, .ok, .ok, .run, .unknown, .warn, .crit][Int(state >> 33) % 12]
                guard alarm.observe(severity, at: at(second)) else { continue }
                #expect(severity >= .warn, "seed \(seed)")
                if let before = last[severity] { #expect(second - before > Alarm.calm.count / 1000, "seed \(seed)") }
                last[severity] = second
            }
        }
    }

    // MARK: On the console

    private func console(_ alerts: AlertOptions = AlertOptions(notifies: true), _ jobs: [JobReport] = [Sample.running()]) -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(alerts: alerts))
        console.report(jobs)
        _ = console.take()
        return console
    }

    /// Bells and notifications since the last time.
    private func calls(_ console: inout ScriptedConsole) -> [ConsoleEffect] {
        console.take().filter { effect in
            switch effect {
            case .bell, .notify: true
            default: false
            }
        }
    }

    @Test func aJobThatBecomesUnhealthyAlertsOnce() {
        var console = console()
        console.advance(1000)
        console.report([Sample.ailing()])
        let first = calls(&console)
        #expect(
            first == [.bell, .notify("orders (lab): CKPT 3/3 tolerated failures used: the next counted failure fails the job")])
        #expect(console.lastMessage.hasPrefix("orders (lab): CKPT 3/3"))
        for _ in 0..<30 {
            console.advance(1000)
            console.report([Sample.ailing()])
        }
        let later = calls(&console)
        #expect(later.isEmpty)
    }

    @Test func whatWasBadAtTheStartIsNoNewsAndAJobThatComesBadIs() {
        var console = ScriptedConsole()
        console.report([Sample.ailing()])
        let first = calls(&console)
        #expect(first.isEmpty)
        console.report([Sample.ailing(), Sample.running(Sample.otherJob, name: "shaky", state: .failed)])
        let second = calls(&console)
        #expect(second == [.bell])
    }

    @Test func aMutedJobIsSilentUntilUnmuted() {
        var console = console()
        console.press("enter", ":")
        console.type("mute")
        console.press("enter")
        console.report([Sample.ailing()])
        let muted = calls(&console)
        #expect(muted.isEmpty)
        console.press(":")
        console.type("mute")
        console.press("enter")
        console.report([Sample.ailing()])
        let unmuted = calls(&console)
        #expect(unmuted.isEmpty, "it lasts")
        for _ in 0..<20 {
            console.advance(1000)
            console.report([Sample.running()])
        }
        console.report([Sample.ailing()])
        let again = calls(&console)
        #expect(again.count == 2)
    }

    @Test func manyJobsAlertTogether() {
        let healthy = (0..<12).map { Sample.running(JobID(high: 1, low: UInt64($0)), name: "job-\($0)") }
        var console = console(AlertOptions(notifies: true), healthy)
        console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: nil, attempts: 1))))
        let calls = calls(&console)
        #expect(calls.count == 2 && calls.first == .bell)
        guard case .notify(let text) = calls.last else { return #expect(Bool(false), "\(calls)") }
        #expect(text.hasPrefix("12 jobs, job-") && text.hasSuffix("(lab): no link: connection refused"))
        #expect(console.lastMessage == "lost the link to lab: connection refused")
        // A link that comes and goes is one failure.
        for attempt in 2..<8 {
            console.advance(1000)
            console.report(healthy)
            console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: nil, attempts: attempt))))
        }
        let flapping = self.calls(&console)
        #expect(flapping.isEmpty)
    }

    @Test func aHungEngineIsNeitherBetterNorWorse() {
        var console = console(AlertOptions(), [Sample.ailing()])
        console.advance(60_000)
        console.report([Sample.ailing()])
        let heard = calls(&console)
        #expect(heard.isEmpty)
    }

    @Test func aFrozenScreenStillAlerts() {
        var console = console()
        console.press("enter", "space")
        console.report([Sample.ailing()])
        let heard = calls(&console)
        #expect(heard.contains(.bell))
    }

    @Test func theBellCanBeOff() {
        var console = console(AlertOptions(rings: false))
        console.report([Sample.ailing()])
        let silent = calls(&console)
        #expect(silent.isEmpty)
        var notifying = self.console(AlertOptions(rings: false, notifies: true))
        notifying.report([Sample.ailing()])
        let notified = calls(&notifying)
        #expect(notified.count == 1)
    }
}
