import CellGrid
import StreamModel

/// A number of a job that is remembered over time and can be charted.
enum Metric: String, Sendable, CaseIterable, Hashable {
    case read, written, busy, backPressure, watermarkLag, checkpointDuration, counted, state, tasks

    var title: SafeText {
        switch self {
        case .read: "records in/s"
        case .written: "records out/s"
        case .busy: "busy, worst vertex"
        case .backPressure: "back-pressured, worst"
        case .watermarkLag: "watermark lag, worst"
        case .checkpointDuration: "checkpoint duration"
        case .counted: "failures counted"
        case .state: "state in memory"
        case .tasks: "tasks running"
        }
    }

    /// Of several samples in one place: the worst one, or their mean.
    var keepsWorst: Bool {
        switch self {
        case .read, .written, .tasks: false
        case .busy, .backPressure, .watermarkLag, .checkpointDuration, .counted, .state: true
        }
    }

    /// The value in a report; nil = it has none.
    func value(_ job: JobReport) -> Double? {
        switch self {
        case .read: job.throughput.recordsReadPerSecond
        case .written: job.throughput.recordsWrittenPerSecond
        case .busy: job.vertices.compactMap(\.busyPermille).max().map(Double.init)
        case .backPressure: job.vertices.compactMap(\.backPressuredPermille).max().map(Double.init)
        case .watermarkLag: job.vertices.compactMap(\.watermarkLag).max().map { Double($0.count) }
        case .checkpointDuration: job.latestCompleted?.duration.map { Double($0.count) }
        case .counted: Double(job.budget.counted)
        case .state: job.stateInMemory.map { Double($0.count) }
        case .tasks: Double(job.runningSubtasks)
        }
    }

    func text(_ value: Double?) -> SafeText {
        guard let value, value.isFinite else { return "-" }
        let whole = Int64(clamping: min(max(value, -1e15), 1e15))
        switch self {
        case .read, .written, .counted, .tasks: return Figures.count(value)
        case .busy, .backPressure: return Figures.percent(permille: Int(whole))
        case .watermarkLag, .checkpointDuration: return Figures.duration(Milliseconds(whole))
        case .state: return Figures.bytes(ByteCount(whole))
        }
    }

    /// The value that a chart's top stands for at least.
    var ceiling: Double? {
        switch self {
        case .busy, .backPressure: 1000
        default: nil
        }
    }
}

/// The reach and the resolution of a series.
enum SampleSpan: Sendable, CaseIterable {
    /// A second a sample, 4 minutes.
    case fine
    /// 15 seconds a sample, 1 hour.
    case coarse

    var step: Milliseconds { self == .fine ? .seconds(1) : .seconds(15) }
    static let samplesMax = 240
}

/// The last values of one metric, at two resolutions. Missing values are NaN.
struct Series: Sendable {
    private(set) var fine: [Float] = []
    private(set) var coarse: [Float] = []
    /// How many fine samples there have been.
    private(set) var count = 0
    private var open: (sum: Float, worst: Float, count: Float) = (0, -.infinity, 0)

    /// Fine samples in a coarse one.
    static let ratio = 15

    mutating func append(_ value: Double?, keepsWorst: Bool) {
        let sample = value.map { Self.plausible($0) } ?? .nan
        fine.append(sample)
        if fine.count > SampleSpan.samplesMax { fine.removeFirst(fine.count - SampleSpan.samplesMax) }
        if !sample.isNaN { open = (open.sum + sample, max(open.worst, sample), open.count + 1) }
        count += 1
        guard count % Self.ratio == 0 else { return }
        coarse.append(open.count == 0 ? .nan : keepsWorst ? open.worst : open.sum / open.count)
        if coarse.count > SampleSpan.samplesMax { coarse.removeFirst(coarse.count - SampleSpan.samplesMax) }
        open = (0, -.infinity, 0)
    }

    /// Passes over samples so old by now that none of them would be kept.
    mutating func skip(_ samples: Int) { count += samples }

    /// A number that can be reckoned with, whatever was reported.
    private static func plausible(_ value: Double) -> Float { value.isNaN ? 0 : Float(min(max(value, 0), 1e15)) }

    /// The samples of a span, the newest last, and how many there have been.
    func samples(_ span: SampleSpan) -> (values: [Float], count: Int) { span == .fine ? (fine, count) : (coarse, count / Self.ratio) }

    /// As it was when there had been `count` fine samples.
    func asOf(_ past: Int) -> Series {
        guard past < count else { return self }
        var copy = self
        copy.fine = Array(fine.dropLast(min(count - past, fine.count)))
        copy.coarse = Array(coarse.dropLast(min(count / Self.ratio - past / Self.ratio, coarse.count)))
        copy.count = past
        return copy
    }
}

/// The state of the metrics screen.
struct MetricsView: Sendable {
    var selected = Metric.read
    /// One to four, in the order in which they were chosen.
    var charted: [Metric] = [.read, .checkpointDuration]
    var span = SampleSpan.fine

    static let chartsMax = 4

    /// Adds the selected metric to the charts or takes it out; the oldest makes room, the last one stays.
    mutating func toggle() {
        if let index = charted.firstIndex(of: selected) {
            if charted.count > 1 { charted.remove(at: index) }
        } else {
            charted.append(selected)
            if charted.count > Self.chartsMax { charted.removeFirst() }
        }
    }
}

extension JobReport {
    /// The size of the operators' state; nil = not reported, as by a cluster.
    var stateInMemory: ByteCount? {
        let sum = vertices.reduce(Int64(0)) { $0 &+ min(max($1.stateBytes.count, 0), 1 << 50) }
        return sum == 0 && freshness != nil ? nil : ByteCount(sum)
    }
}
