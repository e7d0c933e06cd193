public import CellGrid
public import StreamModel

/// Numbers as operators read them: three or four significant digits with a unit, of bounded width, so that columns never jump.
public enum Figures {
    /// Records: "7", "999", "1.2k", "118.4k", "1.9M"; at most 6 columns.
    public static func count(_ value: Double) -> SafeText {
        guard value.isFinite, value >= 0 else { return "-" }
        if value < 10, value != value.rounded() { return SafeText(decimal(value, places: 1)) }
        let units: [(Double, String)] = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P")]
        if value < 999.5 { return SafeText(decimal(value, places: 0)) }
        for (scale, unit) in units where value < scale * 999.95 { return SafeText(decimal(value / scale, places: 1) + unit) }
        return ">999P"
    }

    public static func count(_ value: UInt64) -> SafeText { count(Double(value)) }

    /// Records a second; "-" = not measured.
    public static func rate(_ value: Double?) -> SafeText { value.map { count($0) } ?? "-" }

    /// "0 B", "512 B", "1.42 GiB"; at most 8 columns.
    public static func bytes(_ value: ByteCount) -> SafeText {
        let bytes = Double(value.count)
        guard bytes >= 0 else { return "-" }
        if bytes < 1000 { return SafeText(decimal(bytes, places: 0) + " B") }
        var scaled = bytes / 1024
        for unit in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
            if scaled < 9.995 { return SafeText(decimal(scaled, places: 2) + " " + unit) }
            if scaled < 99.95 { return SafeText(decimal(scaled, places: 1) + " " + unit) }
            if scaled < 999.5 { return SafeText(decimal(scaled, places: 0) + " " + unit) }
            scaled /= 1024
        }
        return ">999 PiB"
    }

    /// A measured span: "0ms", "812ms", "18.4s", "600s", "28m", "2h54m"; at most 6 columns.
    public static func duration(_ value: Milliseconds) -> SafeText {
        let count = max(value.count, 0)
        if count < 1000 { return SafeText("\(count)ms") }
        if count < 99_950 { return SafeText(decimal(Double(count) / 1000, places: 1) + "s") }
        if count < 1_000_000 { return SafeText("\((count + 500) / 1000)s") }
        return coarse(seconds: count / 1000)
    }

    /// A span that was configured: "500ms", "3s", "60s", "10m".
    public static func setting(_ value: Milliseconds) -> SafeText {
        let count = max(value.count, 0)
        if count % 1000 != 0 { return duration(value) }
        if count <= 120_000 { return SafeText("\(count / 1000)s") }
        return count % 60_000 == 0 && count < 3_600_000 ? SafeText("\(count / 60_000)m") : duration(value)
    }

    /// A phase of a checkpoint: "0.4ms", "28.3ms", "1.2s".
    public static func duration(microseconds: Int64) -> SafeText {
        let count = max(microseconds, 0)
        if count < 99_950 { return SafeText(decimal(Double(count) / 1000, places: 1) + "ms") }
        return duration(Milliseconds(count / 1000))
    }

    /// How long ago: "7s", "20s", "39m", "2h54m", "3d04h", "4y"; at most 5 columns. From 10 s on in steps of 5 s and from 1 minute on
    /// in minutes, so that a screen full of ages does not change every second.
    public static func age(_ value: Milliseconds) -> SafeText {
        let seconds = max(value.count, 0) / 1000
        if seconds < 10 { return SafeText("\(seconds)s") }
        if seconds < 60 { return SafeText("\(seconds / 5 * 5)s") }
        let days = seconds / 86_400
        return days >= 1000 ? SafeText("\(min(days / 365, 9999))y") : coarse(seconds: seconds)
    }

    /// How long ago, to the second below a minute: "7s", "42s", "39m"; at most 5 columns. For text that stays, where two rows must tell apart.
    public static func elapsed(_ value: Milliseconds) -> SafeText {
        let seconds = max(value.count, 0) / 1000
        return seconds < 60 ? SafeText("\(seconds)s") : age(value)
    }

    /// Whole seconds: "42 s".
    public static func seconds(_ value: Milliseconds) -> SafeText { SafeText("\((max(value.count, 0) + 999) / 1000) s") }

    private static func coarse(seconds: Int64) -> SafeText {
        let minutes = seconds / 60
        if minutes < 60 { return SafeText("\(minutes)m") }
        let hours = minutes / 60
        if hours < 24 { return hours < 10 ? SafeText("\(hours)h" + twoDigits(minutes % 60) + "m") : SafeText("\(hours)h") }
        let days = hours / 24
        return days < 10 ? SafeText("\(days)d" + twoDigits(hours % 24) + "h") : SafeText("\(min(days, 9999))d")
    }

    /// Time of day: "12:04:31".
    public static func clock(_ time: WallTime, offset: Int) -> SafeText {
        let seconds = floorDivision(time.milliseconds, 1000) + Int64(offset)
        let ofDay = Int(seconds - floorDivision(seconds, 86400) * 86400)
        return SafeText(twoDigits(ofDay / 3600) + ":" + twoDigits(ofDay / 60 % 60) + ":" + twoDigits(ofDay % 60))
    }

    /// Time of day for what happened within the last 20 hours, otherwise how long ago; 8 columns or fewer.
    public static func moment(_ time: WallTime, now: WallTime, offset: Int) -> SafeText {
        (now - time).count < 20 * 3_600_000 ? clock(time, offset: offset) : age(now - time) + " ago"
    }

    /// A part of a whole, "312/640"; as a percentage where that takes more columns, and "100%" only for all of it.
    public static func part(_ done: Int, of total: Int, columns: Int) -> SafeText {
        let exact: SafeText = "\(done)/\(total)"
        guard exact.columns > columns, total > 0 else { return exact.prefix(columns: columns, ending: .cut) }
        return done >= total ? "100%" : "\(min(99, max(0, Int(Double(done) * 100 / Double(total)))))%"
    }

    public static func percent(permille: Int) -> SafeText { SafeText("\((min(max(permille, 0), 1000) + 5) / 10)%") }

    /// A part of 1.
    public static func percent(fraction: Double) -> SafeText { fraction.isNaN ? "-" : percent(permille: Int(clamping: min(max(fraction, 0), 1) * 1000)) }

    /// A multiplier: "2", "1.5".
    public static func factor(_ value: Double) -> SafeText {
        guard value >= 0, value <= 1_000_000 else { return "?" }
        return value == value.rounded() ? SafeText("\(Int(clamping: value))") : SafeText(decimal(value, places: 1))
    }

    /// "6th".
    public static func ordinal(_ value: Int) -> SafeText {
        let suffix =
            switch (value % 100, value % 10) {
            case (11...13, _): "th"
            case (_, 1): "st"
            case (_, 2): "nd"
            case (_, 3): "rd"
            default: "th"
            }
        return SafeText("\(value)\(suffix)")
    }

    public static func plural(_ count: Int, _ one: String, _ many: String? = nil) -> SafeText {
        SafeText("\(count) \(count == 1 ? one : many ?? one + "s")")
    }

    public static func twoDigits(_ value: some BinaryInteger) -> String { value < 10 ? "0\(value)" : "\(value)" }

    public static func decimal(_ value: Double, places: Int) -> String {
        let scale: Double = places == 0 ? 1 : places == 1 ? 10 : 100
        let scaled = (value * scale).rounded()
        guard scaled.isFinite, abs(scaled) < 1e15 else { return "-" }
        let whole = Int(clamping: scaled)
        guard places > 0 else { return String(whole) }
        let divisor = Int(clamping: scale)
        let fraction = String(whole % divisor)
        return "\(whole / divisor)." + String(repeating: "0", count: places - fraction.count) + fraction
    }

    private static func floorDivision(_ value: Int64, _ by: Int64) -> Int64 { value >= 0 ? value / by : -((-value + by - 1) / by) }
}

extension Figures {
    /// The counter of a budget, or its bounds: "3", "1-3".
    public static func counted(_ budget: FailureBudget) -> String {
        budget.bounds.map { "\($0.lowerBound)-\($0.upperBound)" } ?? String(budget.counted)
    }

    /// Where it comes from.
    public static func source(_ budget: FailureBudget) -> SafeText {
        switch budget.source {
        case .exact: "engine counter (exact)"
        case .estimated: budget.bounds == nil ? "estimated from the history" : "estimated: the history is cut off"
        case .unknown: "not known yet"
        }
    }

    /// "3/3", "1-3/3~", "-": as `used`, with a mark where it is estimated.
    public static func budget(_ budget: FailureBudget) -> SafeText { used(budget) + (budget.source == .estimated ? "~" : "") }

    /// "3/3", "1-3/3", "-": counted failures against the tolerable number.
    public static func used(_ budget: FailureBudget) -> SafeText {
        budget.source == .unknown ? "-" : SafeText("\(counted(budget))/\(budget.tolerable.map(String.init) ?? "-")")
    }
}

extension CheckpointReport.Failure {
    /// One or two words for a column.
    var shortReason: String { reason?.short ?? "other" }
}

extension JobReport {
    /// The vertex that waits most for those behind it; nil where none is measured.
    var mostBackPressured: VertexReport? {
        vertices.filter { $0.backPressuredPermille != nil }.max { ($0.backPressuredPermille ?? 0) < ($1.backPressuredPermille ?? 0) }
    }
}

extension CheckpointFailureReason {
    /// One or two words for a column; the whole name is in the details.
    var short: String {
        switch self {
        case .checkpointExpired: "expired"
        case .checkpointDeclined: "declined"
        case .ioException: "i/o error"
        case .checkpointAsyncException: "async error"
        case .checkpointSubsumed, .checkpointDeclinedSubsumed: "subsumed"
        case .minimumTimeBetweenCheckpoints: "min pause"
        case .tooManyConcurrentCheckpoints: "too many"
        case .notAllRequiredTasksRunning, .checkpointDeclinedTaskNotReady: "not ready"
        case .checkpointCoordinatorShutdown, .checkpointCoordinatorSuspend, .periodicSchedulerShutdown: "job ended"
        case .jobFailure, .jobFailoverRegion, .taskFailure: "job failed"
        case .triggerCheckpointFailure: "trigger failed"
        case .finalizeCheckpointFailure: "finalize failed"
        case .taskCheckpointFailure: "task failed"
        default: rawValue.lowercased().split(separator: "_").joined(separator: " ")
        }
    }
}
