internal import ConsoleCore
public import StreamModel

// What operators do to a cluster. The engine's thread only looks; whatever acts brings a thread of its own and tells the outcome by `note`.
extension FlinkEngine {
    public func operate(_ operation: OperationRequest) {
        emit(.refused(operation.id, message: "nothing was sent: this build looks at Flink clusters, it does not act on them"))
    }

    /// Looks at the files on this machine, where it can.
    func inspect(_ path: String) {
        inspector.inspect(path) { [weak self] found in self?.emit(.inspection(found)) }
    }
}
