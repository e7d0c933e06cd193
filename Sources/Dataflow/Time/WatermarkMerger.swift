internal import StreamModel

/// Computes the event time of an input gate from its channels. Pure; one per subtask.
///
/// The gate's watermark is the minimum over the active channels, and never decreases. The minimum skips
/// - idle channels;
/// - ended channels, with watermark `.max`, until all have ended: an end must not make later records of an idle channel late;
/// - channels that become active with a watermark behind the gate's, until they have caught up.
///
/// The gate is idle when all channels that have not ended are; its watermark is then their maximum, as if the others had become idle before (Flink's
/// StatusWatermarkValve).
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

    /// Takes in a channel's event time and returns that of the gate, in order: none, one or two items.
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
            // A watermark implies that the gate is active.
            said = [.watermark(next)]
        }
        if hasOpen, !hasActive, !isIdle {
            isIdle = true
            said.append(.idle)
        }
        return said
    }
}
