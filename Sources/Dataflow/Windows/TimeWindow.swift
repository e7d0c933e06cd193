public import StreamModel

/// A span of time with an exclusive end.
public struct TimeWindow: Hashable, Sendable, BitwiseCopyable {
    public var start: EventTime
    /// End, exclusive.
    public var end: EventTime
    @inlinable public init(start: EventTime, end: EventTime) { (self.start, self.end) = (start, end) }
    /// Last millisecond of the window. The window is due when the watermark reaches it.
    @inlinable public var maxTimestamp: EventTime { end - 1 }
}

/// The result of a window. Its time is the window's last millisecond, so that windows of windows line up.
public struct WindowResult<Key: Sendable, Value: Sendable>: EventTimed {
    public var key: Key
    public var window: TimeWindow
    public var value: Value
    @inlinable
    public init(key: Key, window: TimeWindow, value: Value) {
        self.key = key
        self.window = window
        self.value = value
    }
    @inlinable public var eventTime: EventTime { window.maxTimestamp }
}

/// All records of a key in a window, in order of arrival.
public struct WindowContents<Key: Sendable, Element: Sendable>: Sendable {
    public let key: Key
    public let window: TimeWindow
    public let elements: [Element]
    @inlinable
    init(key: Key, window: TimeWindow, elements: [Element]) {
        self.key = key
        self.window = window
        self.elements = elements
    }
}

/// Windows of one size on a fixed grid, the same for every key.
public struct WindowGrid: Sendable, Hashable {
    /// Spans in milliseconds; `slide == size` for tumbling windows.
    @usableFromInline let size, slide, offset: Int64

    @usableFromInline
    init(size: Milliseconds, slide: Milliseconds, offset: Milliseconds) {
        self.size = size.count
        self.slide = slide.count
        self.offset = offset.count
    }

    /// Consecutive windows: every time lies in exactly one. They begin at the multiples of the size, plus the offset.
    public static func tumbling(_ size: Milliseconds, offset: Milliseconds = 0) -> WindowGrid {
        WindowGrid(size: size, slide: size, offset: offset)
    }

    /// Overlapping windows that begin every `slide`: a time lies in `size / slide` of them.
    public static func sliding(_ size: Milliseconds, every slide: Milliseconds, offset: Milliseconds = 0) -> WindowGrid {
        WindowGrid(size: size, slide: slide, offset: offset)
    }

    /// Problem of the parameters, or nil.
    @usableFromInline
    var problem: String? {
        guard size > 0, slide > 0 else { return "the size and the slide of a window are at least 1 ms, not \(size) ms and \(slide) ms" }
        guard abs(offset) < slide else { return "the offset of a window is less than its slide: \(offset) ms is not less than \(slide) ms" }
        return nil
    }

    @usableFromInline
    var description: String {
        (slide == size ? "tumbling \(size) ms" : "sliding \(size) ms every \(slide) ms") + (offset == 0 ? "" : " offset \(offset) ms")
    }

    /// Start of the last window that contains `time`, or would if it were long enough. Times at the ends of the range wrap.
    @inlinable @inline(__always)
    func lastStart(_ time: Int64) -> Int64 {
        let remainder = (time &- offset) % slide
        return time &- (remainder < 0 ? remainder &+ slide : remainder)
    }

    @inlinable
    func window(startingAt start: Int64) -> TimeWindow {
        let start = EventTime(milliseconds: start)
        return TimeWindow(start: start, end: start + Milliseconds(size))
    }
}

/// A key and the start of one of its windows.
@usableFromInline
struct WindowKey<Key: StreamKey>: StreamKey {
    @usableFromInline let key: Key
    @usableFromInline let start: Int64
    @inlinable init(key: Key, start: Int64) { (self.key, self.start) = (key, start) }

    @inlinable static var stateTypeName: String { "Window<\(Key.stateTypeName)>" }
    @inlinable var stableHash: UInt64 { KeyGroups.hash(within: key.stableHash, KeyGroups.mix(UInt64(bitPattern: start))) }

    @inlinable
    func encode(into writer: inout StateWriter) {
        writer.write(start)
        key.encode(into: &writer)
    }

    @inlinable
    init(from reader: inout StateReader) throws(StateDecodingError) {
        start = try reader.read()
        key = try Key(from: &reader)
    }
}
