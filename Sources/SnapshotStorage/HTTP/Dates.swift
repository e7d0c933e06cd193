internal import StreamModel

/// Times as storages write them, all in UTC. Pure.
struct CivilTime: Equatable {
    var year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
    /// 0 = Sunday.
    var weekday: Int

    init(_ time: WallTime) {
        let seconds = time.milliseconds.quotientAndRemainder(dividingBy: 1000)
        let total = seconds.remainder < 0 ? seconds.quotient - 1 : seconds.quotient
        var days = total / 86_400, rest = total % 86_400
        if rest < 0 { (days, rest) = (days - 1, rest + 86_400) }
        (hour, minute, second) = (Int(rest / 3600), Int(rest / 60 % 60), Int(rest % 60))
        weekday = Int(((days % 7) + 11) % 7)
        // Days of a calendar whose year begins in March (Hinnant, chrono-compatible date algorithms).
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        day = Int(ofYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// "20150830T123600Z".
    var basic: String { "\(dayStamp)T\(two(hour))\(two(minute))\(two(second))Z" }
    /// "20150830".
    var dayStamp: String { four(year) + two(month) + two(day) }
    /// "Fri, 26 Jun 2015 23:39:12 GMT".
    var http: String { "\(Self.weekdays[weekday]), \(two(day)) \(Self.months[month - 1]) \(four(year)) \(two(hour)):\(two(minute)):\(two(second)) GMT" }

    static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private func four(_ value: Int) -> String { String(repeating: "0", count: max(0, 4 - "\(value)".count)) + "\(value)" }
}

extension WallTime {
    /// "2026-11-29T06:32:15.004Z", with or without the fraction, and "20261129T063215Z".
    init?(iso text: some StringProtocol) {
        var bytes = Array(text.utf8)[...]
        let isBasic = !bytes.contains(0x2d)
        func separator(_ byte: UInt8) -> Bool { isBasic ? true : Self.drop(byte, from: &bytes) }
        guard let year = Self.number(4, &bytes), separator(0x2d), let month = Self.number(2, &bytes), separator(0x2d), let day = Self.number(2, &bytes),
            Self.drop(0x54, from: &bytes), let hour = Self.number(2, &bytes), separator(0x3a), let minute = Self.number(2, &bytes), separator(0x3a),
            let second = Self.number(2, &bytes)
        else { return nil }
        var milliseconds: Int64 = 0
        if Self.drop(0x2e, from: &bytes) {
            let digits = bytes.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            for place in 0..<3 {
                milliseconds = milliseconds * 10 + Int64(place < digits.count ? digits[digits.index(digits.startIndex, offsetBy: place)] - 0x30 : 0)
            }
            bytes = bytes.dropFirst(digits.count)
        }
        let zone = String(decoding: bytes, as: UTF8.self)
        guard ["Z", "", "+00:00", "+0000"].contains(zone) else { return nil }
        self.init(year, month, day, hour, minute, second, milliseconds)
    }

    /// "Sun, 29 Nov 2026 06:32:15 GMT".
    init?(http text: some StringProtocol) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == ":" })
        guard words.count == 8, words[7] == "GMT" || words[7] == "UTC", let month = CivilTime.months.firstIndex(where: { $0 == words[2] }),
            let day = Int(words[1]), let year = Int(words[3]), let hour = Int(words[4]), let minute = Int(words[5]), let second = Int(words[6])
        else { return nil }
        self.init(year, month + 1, day, hour, minute, second, 0)
    }

    private init?(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int, _ milliseconds: Int64) {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second)
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400, yearOfEra = shiftedYear - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719_468
        self.init(milliseconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + milliseconds)
    }

    private static func number(_ digits: Int, _ bytes: inout ArraySlice<UInt8>) -> Int? {
        let head = bytes.prefix(digits)
        guard head.count == digits, head.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        bytes = bytes.dropFirst(digits)
        return head.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func drop(_ byte: UInt8, from bytes: inout ArraySlice<UInt8>) -> Bool {
        guard bytes.first == byte else { return false }
        bytes = bytes.dropFirst()
        return true
    }
}
