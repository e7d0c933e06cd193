internal import ConsoleCore
internal import CellGrid
internal import HostEnvironment
internal import StreamModel

/// The columns WHEN and AGE of the commands' tables. Pure but for the zone of the process.
struct TimeColumns {
    let now: WallTime
    let usesUTC: Bool

    init(now: WallTime = .now(), usesUTC: Bool) {
        self.now = now
        self.usesUTC = usesUTC
    }

    /// Time of day with its zone, "12:04:31 CEST"; with the date where that is another day: "2026-11-28 12:04:31 CET".
    func when(_ time: WallTime) -> String {
        let moment = CalendarTime(time, usesUTC: usesUTC)
        return moment.isSameDay(as: CalendarTime(now, usesUTC: usesUTC)) ? Self.clock(moment) : Self.date(moment) + " " + Self.clock(moment)
    }

    /// How long ago, to the second below a minute: "7s", "42s", "39m".
    func age(_ time: WallTime) -> String { Figures.elapsed(now - time).string }

    private static func clock(_ time: CalendarTime) -> String {
        "\([time.hour, time.minute, time.second].map { Figures.twoDigits($0) }.joined(separator: ":")) \(time.zone)"
    }

    private static func date(_ time: CalendarTime) -> String {
        "\(String(repeating: "0", count: max(0, 4 - "\(time.year)".count)))\(time.year)-\(Figures.twoDigits(time.month))-\(Figures.twoDigits(time.day))"
    }
}
