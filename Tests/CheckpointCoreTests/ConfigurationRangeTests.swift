import CheckpointCore
import StreamModel
import Testing

// Goal: each parameter is refused just outside its range and taken at its end and just inside, and the error names
// parameter, value and rule (flink.md 1.1).
@Suite struct ConfigurationRangeTests {
    struct Boundary: Sendable, CustomTestStringConvertible {
        let parameter: CheckpointConfigurationError.Parameter
        let value: Int64
        let isAllowed: Bool
        let set: @Sendable (inout CheckpointConfiguration, Int64) -> Void
        var testDescription: String { "\(parameter.rawValue) = \(value)" }
    }

    static let yearInMilliseconds: Int64 = 31_536_000_000
    static let largestCount = Int64(Int32.max)

    static func boundaries(
        _ parameter: CheckpointConfigurationError.Parameter, allowed: [Int64], refused: [Int64],
        _ set: @escaping @Sendable (inout CheckpointConfiguration, Int64) -> Void
    ) -> [Boundary] {
        allowed.map { Boundary(parameter: parameter, value: $0, isAllowed: true, set: set) }
            + refused.map { Boundary(parameter: parameter, value: $0, isAllowed: false, set: set) }
    }

    static let all: [Boundary] =
        boundaries(
            .interval, allowed: [10, 11, yearInMilliseconds - 1, yearInMilliseconds],
            refused: [9, 0, -1, .min, yearInMilliseconds + 1, .max]
        ) { $0.interval = Milliseconds($1) }
        + boundaries(
            .timeout, allowed: [10, 11, yearInMilliseconds - 1, yearInMilliseconds],
            refused: [9, 0, -1, .min, yearInMilliseconds + 1, .max]
        ) { $0.timeout = Milliseconds($1) }
        + boundaries(.minimumPause, allowed: [0, 1, yearInMilliseconds + 1, .max], refused: [-1, .min]) {
            $0.minimumPause = Milliseconds($1)
        }
        + boundaries(
            .maximumConcurrent, allowed: [1, 2, largestCount - 1, largestCount], refused: [0, -1, .min, largestCount + 1, .max]
        ) { $0.maximumConcurrent = Int($1) }
        + boundaries(
            .tolerableFailures, allowed: [0, 1, largestCount - 1, largestCount], refused: [-1, -2, .min, largestCount + 1, .max]
        ) { $0.tolerableFailures = Int($1) }
        + boundaries(
            .retainedCheckpoints, allowed: [1, 2, largestCount - 1, largestCount], refused: [0, -1, .min, largestCount + 1, .max]
        ) { $0.retainedCheckpoints = Int($1) }

    @Test(arguments: all) func boundary(_ boundary: Boundary) throws {
        var configuration = CheckpointConfiguration()
        boundary.set(&configuration, boundary.value)
        guard !boundary.isAllowed else {
            try configuration.validate()
            // A legal extreme must not overflow the arithmetic of the scheduler either.
            configuration.interval = configuration.interval ?? 1000
            var coordinator = try CheckpointCoordinator(
                configuration: configuration, tasks: [SubtaskID(vertex: 0, index: 0)], nextID: CheckpointID(1), seed: 1)
            let actions = coordinator.handle(.jobStateChanged(.running), at: EngineInstant(milliseconds: 1))
            #expect(actions.count == 1)
            _ = coordinator.handle(.triggerTimerFired, at: coordinator.nextTriggerAt ?? EngineInstant(milliseconds: 0))
            return
        }
        let error = #expect(throws: CheckpointConfigurationError.self) { try configuration.validate() }
        #expect(error?.parameter == boundary.parameter)
        #expect(error?.description.contains(boundary.parameter.rawValue) == true)
        #expect(error?.description.contains("\(boundary.value)") == true)
        #expect(error?.rule.isEmpty == false)
    }

    @Test func theDefaultsAreFlinks() throws {
        let configuration = CheckpointConfiguration()
        try configuration.validate()
        #expect(configuration.baseInterval == nil)
        #expect(configuration.timeout == 600_000)
        #expect(configuration.effectiveTolerableFailures == 0)
    }

    @Test func unalignedIsRefused() {
        var configuration = CheckpointConfiguration()
        configuration.unaligned = true
        let error = #expect(throws: CheckpointConfigurationError.self) { try configuration.validate() }
        #expect(error?.parameter == .unaligned)
        #expect(error?.description.contains("aligned checkpoints only") == true)
    }

    @Test func invalidDirectoriesAreRefused() throws {
        for bad in ["", "a\0b"] {
            var storage = CheckpointConfiguration(), savepoints = CheckpointConfiguration()
            storage.storageDirectory = bad
            savepoints.savepointDirectory = bad
            #expect(#expect(throws: CheckpointConfigurationError.self) { try storage.validate() }?.parameter == .storageDirectory)
            #expect(#expect(throws: CheckpointConfigurationError.self) { try savepoints.validate() }?.parameter == .savepointDirectory)
        }
        var good = CheckpointConfiguration()
        good.storageDirectory = "/var/lib/weir"
        good.savepointDirectory = "savepoints"
        try good.validate()
    }

    @Test func theCoordinatorAppliesTheSameCheck() {
        var configuration = CheckpointConfiguration()
        configuration.timeout = 9
        #expect(throws: CheckpointConfigurationError.self) {
            try CheckpointCoordinator(configuration: configuration, tasks: [], nextID: CheckpointID(1), seed: 0)
        }
    }

    @Test func theIntervalIsRaisedToTheMinimumPause() {
        var configuration = CheckpointConfiguration()
        configuration.interval = 1000
        configuration.minimumPause = 5000
        #expect(configuration.baseInterval == 5000)
        configuration.minimumPause = 999
        #expect(configuration.baseInterval == 1000)
        configuration.minimumPause = Milliseconds(.max)
        #expect(configuration.effectiveMinimumPause == CheckpointConfiguration.longestSpan)
    }

    @Test func tolerableFailuresDefaultToZeroAndTheLargestDisablesCounting() {
        var configuration = CheckpointConfiguration()
        #expect(configuration.effectiveTolerableFailures == 0)
        configuration.tolerableFailures = Int(Int32.max) - 1
        #expect(configuration.effectiveTolerableFailures == Int(Int32.max) - 1)
        configuration.tolerableFailures = Int(Int32.max)
        #expect(configuration.effectiveTolerableFailures == nil)
    }
}
