/// Bounds of a job's parallelism.
public enum Parallelism {
    /// Key groups are counted in 15 bits.
    public static let range = 1...32_768

    /// Why a number is no parallelism at all; nil = it is one.
    public static func problem(_ number: Int) -> String? {
        range.contains(number) ? nil : "\(number) is no parallelism: it is a number from \(range.lowerBound) to \(range.upperBound)"
    }
}

extension RestartOptions {
    /// Parallelism of the new job; nil = the program's own.
    public var launchParallelism: Int? { parallelism ?? recipe?.parallelism }
}

extension SnapshotInspection {
    /// Why a job of this parallelism cannot be restored from the snapshot; nil = no reason is known.
    public func problem(ofParallelism number: Int) -> String? {
        if let problem = Parallelism.problem(number) { return problem }
        guard let keyedLimit, number > keyedLimit.maxParallelism else { return nil }
        return
            "parallelism \(number) is above \(keyedLimit.maxParallelism), the maximum of operator \(keyedLimit.operatorName) with keyed state in this snapshot"
    }
}
