import StreamModel
import Testing

/// Every number has an answer: nothing that comes from outside may end the process.
struct ClampingTests {
    @Test(
        arguments: [
            (.nan, 0), (.infinity, .max), (-.infinity, .min), (1e300, .max), (-1e300, .min), (9.3e18, .max), (3.9, 3), (-3.9, -3), (0, 0), (-0.0, 0),
            (Double(Int.max), .max), (Double(Int.min), .min),
        ] as [(Double, Int)])
    func `a double as a whole number`(_ value: Double, _ whole: Int) {
        #expect(Int(clamping: value) == whole)
        #expect(
            UInt64(clamping: value)
                == (value == 9.3e18 ? 9_300_000_000_000_000_000 : value > 1e19 ? .max : UInt64(max(whole, 0)) + (whole == .max && value < 9.3e18 ? 1 : 0)))
    }

    @Test func `sums, differences and products saturate`() {
        #expect(Int.max.addingClamped(1) == .max && Int.min.addingClamped(-1) == .min && UInt64.max.addingClamped(1) == .max)
        #expect(Int.min.subtractingClamped(1) == .min && Int.max.subtractingClamped(-1) == .max && UInt64(3).subtractingClamped(5) == 0)
        #expect(Int.max.multipliedClamped(by: 2) == .max && Int.max.multipliedClamped(by: -2) == .min && Int.min.multipliedClamped(by: -1) == .max)
        #expect([UInt64.max, 1].sumClamped() == .max)
    }

    @Test(arguments: [Int64.min, -1, 0, 1, .max]) func `spans and instants of any value`(_ value: Int64) {
        for other in [Int64.min, -1, 0, 1, .max] {
            let moment = WallTime(milliseconds: value), span = Milliseconds(other)
            _ = (moment - WallTime(milliseconds: other), moment + span, Milliseconds(value) + span, Milliseconds(value) - span)
            _ = (
                EngineInstant(nanoseconds: value) - EngineInstant(nanoseconds: other), EngineInstant(nanoseconds: value) + span,
                ByteCount(value) + ByteCount(other)
            )
            _ = (EngineInstant(milliseconds: value), Milliseconds.seconds(value), Milliseconds.minutes(value))
        }
        #expect(WallTime(milliseconds: .max) - WallTime(milliseconds: -1) == Milliseconds(.max))
    }
}
