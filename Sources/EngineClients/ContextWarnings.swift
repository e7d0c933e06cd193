internal import CellGrid
internal import FlinkREST

extension ConsoleContext {
    /// What exposes the secrets of a context, a line each: what, where, and what to do. Told once, when it is first used.
    public var warnings: [String] {
        guard case .flink(let connection) = address else { return [] }
        return connection.exposures.map { SafeText("warning: context \(name): \($0.problem): \($0.remedy)").string }
    }
}
