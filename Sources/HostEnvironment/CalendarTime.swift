internal import Glibc
public import StreamModel

/// A moment as calendars and wall clocks show it, with the zone that was in force then.
public struct CalendarTime: Equatable, Sendable {
    public var year, month, day, hour, minute, second: Int
    /// "UTC", "CEST".
    public var zone: String

    public init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, zone: String) {
        (self.year, self.month, self.day, self.hour, self.minute, self.second, self.zone) = (year, month, day, hour, minute, second, zone)
    }

    /// In the zone of this process (`TZ`), or in UTC. A time that no calendar has is the nearest one that it has.
    public init(_ time: WallTime, usesUTC: Bool) {
        // Year 9999: beyond it the columns would grow.
        var seconds = time_t(min(max(time.milliseconds / 1000, 0), 253_402_300_799))
        var parts = tm()
        _ = usesUTC ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)
        let zone = usesUTC ? "UTC" : parts.tm_zone.map { String(cString: $0) } ?? "?"
        self.init(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday), hour: Int(parts.tm_hour), minute: Int(parts.tm_min),
            second: Int(parts.tm_sec), zone: zone)
    }

    public func isSameDay(as other: CalendarTime) -> Bool { (year, month, day) == (other.year, other.month, other.day) }
}
