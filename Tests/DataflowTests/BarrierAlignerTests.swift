import StreamModel
import Testing

@testable import Dataflow

@Suite struct BarrierAlignerTests {
    func barrier(_ id: UInt64) -> Barrier {
        Barrier(checkpoint: CheckpointID(id), kind: .checkpoint, triggeredAt: EngineInstant(nanoseconds: 0))
    }
    func at(_ nanoseconds: Int64) -> EngineInstant { EngineInstant(nanoseconds: nanoseconds) }

    @Test func exactlyOnceBlocksUntilAllChannelsDelivered() {
        var aligner = BarrierAligner(channels: 3, mode: .exactlyOnce)
        #expect(aligner.arrived(barrier(1), on: 0, at: at(10)) == .goOn)
        #expect(aligner.arrived(barrier(1), on: 2, at: at(20)) == .goOn)
        #expect(aligner.blocked == [0, 2])
        #expect(aligner.arrived(barrier(1), on: 1, at: at(35)) == .snapshot(CheckpointID(1), alignmentNanoseconds: 25))
        #expect(aligner.blocked.isEmpty)
    }

    @Test func atLeastOnceCountsWithoutBlocking() {
        var aligner = BarrierAligner(channels: 2, mode: .atLeastOnce)
        #expect(aligner.arrived(barrier(1), on: 0, at: at(0)) == .goOn)
        #expect(aligner.arrived(barrier(2), on: 0, at: at(1)) == .goOn)
        #expect(aligner.blocked.isEmpty)
        #expect(aligner.arrived(barrier(1), on: 1, at: at(2)) == .snapshot(CheckpointID(1), alignmentNanoseconds: 2))
        #expect(aligner.next(at: at(2)) == .goOn)
        #expect(aligner.arrived(barrier(2), on: 1, at: at(3)) == .snapshot(CheckpointID(2), alignmentNanoseconds: 2))
    }

    @Test func anEndedChannelIsNotWaitedFor() {
        var aligner = BarrierAligner(channels: 2, mode: .exactlyOnce)
        #expect(aligner.arrived(barrier(1), on: 0, at: at(0)) == .goOn)
        #expect(aligner.ended(1, at: at(7)) == .snapshot(CheckpointID(1), alignmentNanoseconds: 7))
        #expect(aligner.arrived(barrier(2), on: 0, at: at(9)) == .snapshot(CheckpointID(2), alignmentNanoseconds: 0))
    }

    @Test func oneEndCanCompleteSeveralCheckpoints() {
        var aligner = BarrierAligner(channels: 2, mode: .atLeastOnce)
        _ = aligner.arrived(barrier(1), on: 0, at: at(0))
        _ = aligner.arrived(barrier(2), on: 0, at: at(0))
        #expect(aligner.ended(1, at: at(1)) == .snapshot(CheckpointID(1), alignmentNanoseconds: 1))
        #expect(aligner.next(at: at(1)) == .snapshot(CheckpointID(2), alignmentNanoseconds: 1))
        #expect(aligner.next(at: at(1)) == .goOn)
    }

    @Test func pastBarriersAreIgnored() {
        var aligner = BarrierAligner(channels: 1, mode: .exactlyOnce)
        #expect(aligner.arrived(barrier(5), on: 0, at: at(0)) == .snapshot(CheckpointID(5), alignmentNanoseconds: 0))
        #expect(aligner.arrived(barrier(4), on: 0, at: at(0)) == .goOn)
        #expect(aligner.blocked.isEmpty)
    }
}
