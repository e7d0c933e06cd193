public import StreamModel

/// Names that follow from an operation's id: whoever has the id can ask for what it led to.
public enum FlinkOperationNames {
    /// The trigger id of its savepoint, stop or checkpoint.
    public static func trigger(of id: OperationID) -> FlinkTriggerID {
        let hash = OperatorID(uid: "weir trigger \(id)")
        return FlinkTriggerID(high: hash.high, low: hash.low)
    }

    /// The job that an operation launches, where its id need not be shared with others.
    public static func job(of id: OperationID) -> JobID { job("weir job \(id)") }

    /// The job that takes the place of a job when it ends: of several restarts at once, whoever sends them, the cluster takes one, since it takes an
    /// id once.
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
