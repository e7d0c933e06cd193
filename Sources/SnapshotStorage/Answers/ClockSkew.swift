internal import StreamModel

/// How far this machine's clock is from a store's. Pure.
struct ClockSkew: Equatable {
    /// Positive = this machine is ahead.
    var seconds: Int64

    /// Stores allow 15 minutes.
    static let allowedSeconds: Int64 = 15 * 60

    init(ours: WallTime, theirs: WallTime) { seconds = (ours - theirs).count / 1000 }

    var isTooMuch: Bool { abs(seconds) > Self.allowedSeconds }

    var text: String {
        let size = abs(seconds)
        let amount = size >= 3 * 86_400 ? "\(size / 86_400) days" : size >= 3 * 3600 ? "\(size / 3600) h" : size >= 120 ? "\(size / 60) min" : "\(size) s"
        return "the clock of this machine is \(amount) \(seconds > 0 ? "ahead of" : "behind") that of the store"
    }

    static let remedy = "set the clock of this machine right (NTP)"
}
