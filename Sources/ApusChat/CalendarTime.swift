/// A moment on the wall clock, as `strftime_now` prints it: date and time of day without a time zone.
public struct CalendarTime: Sendable, Hashable {
    /// The year of the Gregorian calendar.
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int
    /// 0 to 23.
    public let hour: Int
    /// 0 to 59.
    public let minute: Int
    /// 0 to 60.
    public let second: Int
    /// 0 to 999,999.
    public let microsecond: Int

    /// The moment `seconds` after 1970-01-01 00:00 in the time zone that the count was shifted to (UTC if it was not).
    public init(secondsSince1970 seconds: Int) {
        let days = seconds >= 0 ? seconds / 86400 : -((86399 - seconds) / 86400)
        let rest = seconds - days * 86400
        // Days from 0000-03-01, in eras of 400 years (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
        microsecond = 0
    }

    /// Reads a moment in ISO 8601; nil for other text.
    ///
    /// The forms are `2025-07-26`, `2025-07-26T14:30`, `2025-07-26 14:30:05.25`, each optionally followed by
    /// `Z` or an offset such as `+02:00`, which is not applied: the wall clock is what is printed.
    public init?(iso8601 text: String) {
        var rest = Array(text.utf8)[...]
        func number(_ digits: Int) -> Int? {
            guard rest.count >= digits, rest.prefix(digits).allSatisfy({ (0x30...0x39).contains($0) }) else {
                return nil
            }
            defer { rest = rest.dropFirst(digits) }
            return rest.prefix(digits).reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        func skip(_ byte: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: byte) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2),
            (1...12).contains(month), (1...CalendarTime.dayCount(month, in: year)).contains(day)
        else { return nil }
        var (hour, minute, second, microsecond) = (0, 0, 0, 0)
        if skip("T") || skip(" ") {
            guard let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            (hour, minute) = (hours, minutes)
            if skip(":") {
                guard let seconds = number(2), seconds <= 60 else { return nil }
                second = seconds
                if skip(".") {
                    let digits = rest.prefix { (0x30...0x39).contains($0) }
                    guard (1...9).contains(digits.count) else { return nil }
                    let padded = digits.map { Int($0 - 0x30) } + [0, 0, 0, 0, 0]
                    microsecond = padded.prefix(6).reduce(0) { $0 * 10 + $1 }
                    rest = rest.dropFirst(digits.count)
                }
            }
            if !skip("Z"), skip("+") || skip("-") {
                guard number(2) != nil else { return nil }
                _ = skip(":")
                guard rest.isEmpty || number(2) != nil else { return nil }
            }
        }
        guard rest.isEmpty else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second, self.microsecond) = (hour, minute, second, microsecond)
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func dayCount(_ month: Int, in year: Int) -> Int {
        month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// 1 to 366.
    var dayOfYear: Int { (1..<month).reduce(day) { $0 + CalendarTime.dayCount($1, in: year) } }

    /// 0 for Sunday to 6 for Saturday (Sakamoto's congruence).
    var weekday: Int {
        let shift = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4][month - 1]
        let base = month < 3 ? year - 1 : year
        return (base + base / 4 - base / 100 + base / 400 + shift + day) % 7
    }

    /// The year and week of ISO 8601: weeks begin on Monday, the first holds the year's first Thursday.
    var isoWeek: (year: Int, week: Int) {
        let week = (dayOfYear - (weekday + 6) % 7 + 9) / 7
        if week < 1 { return (year - 1, CalendarTime.isoWeekCount(year - 1)) }
        return week > CalendarTime.isoWeekCount(year) ? (year + 1, 1) : (year, week)
    }

    private static func isoWeekCount(_ year: Int) -> Int {
        func shift(_ year: Int) -> Int { (year + year / 4 - year / 100 + year / 400) % 7 }
        return shift(year) == 4 || shift(year - 1) == 3 ? 53 : 52
    }
}
