public import StreamModel

/// Names derived from an operation's id: whoever has the id can look up its results.
public enum FlinkOperationNames {
    /// The trigger id of its savepoint, stop or checkpoint.
    public static func trigger(of id: OperationID) -> FlinkTriggerID {
        let hash = OperatorID(uid: "weir trigger \(id)")
        return FlinkTriggerID(high: hash.high, low: hash.low)
    }

    /// The job launched by an operation that shares its id with no other.
    public static func job(of id: OperationID) -> JobID { job("weir job \(id)") }

    /// The successor of a job. Of several concurrent restarts the cluster accepts one, since it accepts an id only once.
    public static func successor(of id: JobID) -> JobID { job("weir successor of \(id)") }

    private static func job(_ text: String) -> JobID {
        let hash = OperatorID(uid: text)
        return JobID(high: hash.high, low: hash.low)
    }

    /// A name that no server takes for a path: the last component of a path, with plain characters only.
    public static func uploadName(of path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        let plain = String(last.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }.suffix(120))
        let name = plain.drop { $0 == "." }
        return name.hasSuffix(".jar") ? String(name) : "\(name).jar"
    }
}
