import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: a gate's watermark is the lowest of the channels that are waited for and never goes back, whatever the channels say in whatever
// order. Method: tables of what channels say and what the gate answers; a seeded walk against rules that are checked over the whole history.

@Suite struct WatermarkMergerTests {
    private enum Said: Equatable {
        case mark(Int64), idle, active, end
        var time: StreamTime {
            switch self {
            case .mark(let time): .watermark(EventTime(milliseconds: time))
            case .idle: .idle
            case .active: .active
            case .end: .watermark(.max)
            }
        }
        init(_ time: StreamTime) {
            switch time {
            case .watermark(.max): self = .end
            case .watermark(let time): self = .mark(time.milliseconds)
            case .idle: self = .idle
            case .active: self = .active
            }
        }
    }

    private static func expect(
        channels: Int, _ steps: [(channel: Int, says: Said, gate: [Said])], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var merger = WatermarkMerger(channels: channels)
        for (number, step) in steps.enumerated() {
            let answer = merger.take(step.says.time, from: step.channel).map(Said.init)
            #expect(answer == step.gate, "step \(number): channel \(step.channel) says \(step.says)", sourceLocation: sourceLocation)
        }
    }

    @Test func theLowestChannelCounts() {
        Self.expect(
            channels: 2,
            [
                (0, .mark(5), []), (1, .mark(3), [.mark(3)]), (1, .mark(9), [.mark(5)]), (0, .mark(4), []), (0, .mark(20), [.mark(9)]),
            ])
    }

    @Test func anIdleChannelIsLeftOut() {
        Self.expect(
            channels: 3,
            [
                (0, .mark(5), []), (1, .mark(7), []), (2, .idle, [.mark(5)]), (0, .idle, [.mark(7)]), (1, .mark(8), [.mark(8)]),
            ])
    }

    @Test func aGateWithOnlyIdleChannelsIsIdle() {
        Self.expect(
            channels: 2,
            [
                (0, .mark(5), []), (1, .mark(9), [.mark(5)]), (1, .idle, []),
                // As if channel 0 had been idle first: what channel 1 had said counts.
                (0, .idle, [.mark(9), .idle]), (0, .idle, []), (1, .active, [.active]), (1, .mark(10), [.mark(10)]),
            ])
    }

    @Test func aGateWithoutAWatermarkCanBeIdle() {
        Self.expect(channels: 2, [(0, .idle, []), (1, .idle, [.idle]), (0, .mark(3), [.mark(3)])])
    }

    @Test func aReactivatedChannelCountsOnceItHasCaughtUp() {
        Self.expect(
            channels: 2,
            [
                (0, .mark(1), []), (1, .idle, [.mark(1)]), (0, .mark(50), [.mark(50)]), (1, .active, []), (0, .mark(60), [.mark(60)]),
                (1, .mark(20), []), (0, .mark(70), [.mark(70)]), (1, .mark(70), []), (0, .mark(80), []), (1, .mark(75), [.mark(75)]),
            ])
    }

    @Test func anEndedChannelIsLeftOutAndTheGateEndsWithTheLast() {
        Self.expect(
            channels: 3,
            [
                (0, .mark(5), []), (1, .end, []), (2, .mark(3), [.mark(3)]), (2, .end, [.mark(5)]), (0, .mark(6), [.mark(6)]), (0, .end, [.end]),
            ])
    }

    // A source that has ended must not make late what an idle one still has to say.
    @Test func anEndedChannelBesideAnIdleOneDoesNotEndTime() {
        Self.expect(
            channels: 2,
            [
                (0, .mark(5), []), (1, .mark(8), [.mark(5)]), (0, .idle, [.mark(8)]), (1, .end, [.idle]), (0, .mark(9), [.mark(9)]),
                (0, .end, [.end]),
            ])
    }

    @Test func allEndedAfterIdlenessIsTheEnd() {
        Self.expect(channels: 2, [(0, .idle, []), (1, .idle, [.idle]), (0, .end, []), (1, .end, [.end])])
    }

    // For every prefix: the gate never goes back; what it says is never above an active channel that it has waited for all along; when
    // all have caught up and are active, it is their minimum.
    @Test(arguments: Array(1...60) as [UInt64])
    func randomWalksKeepTheRules(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...5, using: &random)
        var merger = WatermarkMerger(channels: count)
        var marks = [EventTime](repeating: .min, count: count), idle = [Bool](repeating: false, count: count)
        var known = EventTime.min, knownIdle = false
        for step in 0..<400 {
            let channel = Int.random(in: 0..<count, using: &random)
            guard marks[channel] < .max else { continue }
            let time: StreamTime
            switch UInt8.random(in: 0..<20, using: &random) {
            case 0...13:
                let last = max(marks[channel].milliseconds, 0)
                time = .watermark(EventTime(milliseconds: last + .random(in: -3...20, using: &random)))
            case 14...16: time = .idle
            case 17...18: time = .active
            default: time = step > 300 ? .watermark(.max) : .active
            }
            switch time {
            case .watermark(let mark): (marks[channel], idle[channel]) = (max(mark, marks[channel]), false)
            case .idle: idle[channel] = true
            case .active: idle[channel] = false
            }
            for said in merger.take(time, from: channel) {
                switch said {
                case .watermark(let mark):
                    #expect(mark > known, "seed \(seed), step \(step): the gate went back")
                    (known, knownIdle) = (mark, false)
                case .idle: knownIdle = true
                case .active: knownIdle = false
                }
            }
            let open = (0..<count).filter { marks[$0] < .max }, active = open.filter { !idle[$0] }
            #expect(knownIdle == (active.isEmpty && !open.isEmpty), "seed \(seed), step \(step): idleness")
            #expect(merger.watermark == known && merger.isIdle == knownIdle)
            if open.isEmpty {
                #expect(known == .max, "seed \(seed), step \(step)")
            } else if let lowest = active.map({ marks[$0] }).min(), lowest >= known {
                #expect(known == lowest, "seed \(seed), step \(step): all active channels are at \(lowest) or later, the gate is at \(known)")
            }
            #expect(known <= marks.max() ?? .min, "seed \(seed), step \(step): nobody has said \(known)")
        }
    }
}
