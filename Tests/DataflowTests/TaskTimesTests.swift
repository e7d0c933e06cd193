// Goal: the operator sees what a subtask does now, also while one batch takes seconds. Method: turns and readings at instants of the test's own.

import StreamModel
import Testing

@testable import Dataflow

@Suite struct TaskTimesTests {
    private func at(_ milliseconds: Int64) -> EngineInstant { EngineInstant(milliseconds: milliseconds) }
    private func reading(busy: Int64 = 0, backPressured: Int64 = 0, idle: Int64 = 0) -> TaskTimes.Reading {
        TaskTimes.Reading(busy: busy * 1_000_000, backPressured: backPressured * 1_000_000, idle: idle * 1_000_000)
    }

    @Test func `ongoing work is reported while it lasts`() {
        let times = TaskTimes()
        #expect(times.reading(at: at(5000)) == reading(), "nothing is counted before a task begins")
        times.turn(to: .working, at: at(10_000))
        #expect(times.reading(at: at(11_000)) == reading(busy: 1000))
        #expect(times.reading(at: at(12_000)) == reading(busy: 2000))
        times.turn(to: .working, at: at(12_500))
        #expect(times.reading(at: at(12_500)) == reading(busy: 2500), "and not twice when it ends")
    }

    @Test func `each switch counts the activity before it`() {
        let times = TaskTimes()
        times.turn(to: .working, at: at(1000))
        times.turn(to: .blocked, at: at(1100))
        #expect(times.reading(at: at(1400)) == reading(busy: 100, backPressured: 300))
        times.turn(to: .working, at: at(1500))
        times.turn(to: .waiting, at: at(1550))
        #expect(times.reading(at: at(2550)) == reading(busy: 150, backPressured: 400, idle: 1000))
        times.turn(to: .nothing, at: at(2650))
        #expect(times.reading(at: at(9000)) == reading(busy: 150, backPressured: 400, idle: 1100), "an ended task does nothing")
    }

    @Test func `a switch in the past counts nothing twice`() {
        let times = TaskTimes()
        times.turn(to: .working, at: at(1000))
        times.turn(to: .blocked, at: at(1200))
        times.turn(to: .working, at: at(1700))
        // The task waits from when it last looked at the clock, which was before it was blocked.
        times.turn(to: .waiting, at: at(1100))
        #expect(times.reading(at: at(2000)) == reading(busy: 200, backPressured: 500, idle: 300))
    }
}
