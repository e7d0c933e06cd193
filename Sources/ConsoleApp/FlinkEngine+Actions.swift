internal import ConsoleCore
internal import StreamModel

// What operators do to a cluster. The engine's thread only looks; whatever acts brings a thread of its own and tells the outcome by `note`.
extension FlinkEngine {
    func operate(_ operation: OperationRequest) {
        emit(.refused(operation.id, message: "nothing was sent: this build looks at Flink clusters, it does not act on them"))
    }

    /// Files of a cluster are mostly not reachable from here.
    func inspect(_ path: String) {
        emit(.requestFailed("\(path) lies with the cluster: it cannot be read from here"))
    }
}
