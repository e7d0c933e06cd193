internal import StreamModel

/// The event time of an input gate, from that of its channels. Pure; one a subtask.
///
/// The gate's watermark is the lowest of the channels that are waited for, and never goes back. Not waited for are
/// - idle channels;
/// - ended channels, those whose watermark is `.max`, as long as one has not ended: an end must not make the records late that an idle
///   channel brings afterwards;
/// - channels that came back from idleness with a watermark behind the gate's, until they have caught up.
///
/// When all channels that have not ended are idle, so is the gate; its watermark is then the highest of theirs, as if the others had
/// become idle before (flink: StatusWatermarkValve).
struct WatermarkMerger {
    private struct Channel {
        var watermark = EventTime.min
        var isIdle = false
        var isAligned = true
    }

    private var channels: [Channel]
    private(set) var watermark = EventTime.min
    private(set) var isIdle = false

    init(channels: Int) { self.channels = [Channel](repeating: Channel(), count: channels) }

    /// Takes what a channel says and returns what the gate says then, in order: nothing, or one or two things.
    mutating func take(_ time: StreamTime, from index: Int) -> [StreamTime] {
        switch time {
        case .watermark(let watermark):
            activate(index)
            guard watermark > channels[index].watermark else { break }
            channels[index].watermark = watermark
            if watermark >= self.watermark { channels[index].isAligned = true }
        case .idle:
            guard channels[index].watermark < .max else { return [] }
            channels[index].isIdle = true
            channels[index].isAligned = false
        case .active: activate(index)
        }
        return settle()
    }

    private mutating func activate(_ index: Int) {
        guard channels[index].isIdle else { return }
        channels[index].isIdle = false
        channels[index].isAligned = channels[index].watermark >= watermark
    }

    private mutating func settle() -> [StreamTime] {
        var lowest = EventTime.max, highest = EventTime.min
        var hasAligned = false, hasActive = false, hasOpen = false
        for channel in channels where channel.watermark < .max {
            hasOpen = true
            highest = max(highest, channel.watermark)
            if channel.isIdle { continue }
            hasActive = true
            guard channel.isAligned else { continue }
            hasAligned = true
            lowest = min(lowest, channel.watermark)
        }
        var said: [StreamTime] = []
        if isIdle, hasActive || !hasOpen {
            isIdle = false
            said.append(.active)
        }
        let next: EventTime
        switch (hasOpen, hasActive, hasAligned) {
        case (false, _, _): next = .max
        case (true, false, _): next = highest
        case (true, true, true): next = lowest
        case (true, true, false): next = watermark
        }
        if next > watermark {
            watermark = next
            // A watermark says by itself that the gate is active.
            said = [.watermark(next)]
        }
        if hasOpen, !hasActive, !isIdle {
            isIdle = true
            said.append(.idle)
        }
        return said
    }
}
