/// `strftime` in the C locale.
extension CalendarTime {
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    func formatted(_ format: Text, meter: Meter) throws -> [UInt8] {
        let scalars = Array(format.scalars)
        var result: [UInt8] = []
        var index = 0
        while index < scalars.count {
            try meter.check(bytes: result.count)
            let start = index
            index += 1
            guard scalars[start] == "%" else {
                result.append(scalars[start])
                continue
            }
            var flag: Unicode.Scalar?
            if index < scalars.count, "-_0^#".unicodeScalars.contains(scalars[index]) {
                flag = scalars[index]
                index += 1
            }
            guard index < scalars.count, let text = field(scalars[index], flag) else {
                result.append(scalars[start])
                index = start + 1
                continue
            }
            index += 1
            result += (flag == "^" ? text.uppercased() : text).utf8
        }
        return result
    }

    /// What a directive prints; nil for an unknown one.
    private func field(_ directive: Unicode.Scalar, _ flag: Unicode.Scalar?) -> String? {
        date(directive, flag) ?? timeOfDay(directive, flag) ?? composite(directive)
    }

    private func pad(_ value: Int, _ width: Int, _ flag: Unicode.Scalar?, _ fill: Unicode.Scalar = "0") -> String {
        let digits = String(value)
        if flag == "-" { return digits }
        let fill = flag == "_" ? " " : flag == "0" ? "0" : fill
        return String(repeating: String(fill), count: max(0, width - digits.count)) + digits
    }

    private func date(_ directive: Unicode.Scalar, _ flag: Unicode.Scalar?) -> String? {
        switch directive {
        case "a": String(CalendarTime.weekdays[weekday].prefix(3))
        case "A": CalendarTime.weekdays[weekday]
        case "b", "h": String(CalendarTime.months[month - 1].prefix(3))
        case "B": CalendarTime.months[month - 1]
        case "C": pad(year / 100, 2, flag)
        case "d": pad(day, 2, flag)
        case "e": pad(day, 2, flag, " ")
        case "G": pad(isoWeek.year, 4, flag)
        case "g": pad(isoWeek.year % 100, 2, flag)
        case "j": pad(dayOfYear, 3, flag)
        case "m": pad(month, 2, flag)
        case "u": String((weekday + 6) % 7 + 1)
        case "U": pad((dayOfYear + 6 - weekday) / 7, 2, flag)
        case "V": pad(isoWeek.week, 2, flag)
        case "w": String(weekday)
        case "W": pad((dayOfYear + 6 - (weekday + 6) % 7) / 7, 2, flag)
        case "y": pad(year % 100, 2, flag)
        case "Y": String(year)
        default: nil
        }
    }

    private func timeOfDay(_ directive: Unicode.Scalar, _ flag: Unicode.Scalar?) -> String? {
        switch directive {
        case "f": pad(microsecond, 6, nil)
        case "H": pad(hour, 2, flag)
        case "I": pad((hour + 11) % 12 + 1, 2, flag)
        case "k": pad(hour, 2, flag, " ")
        case "l": pad((hour + 11) % 12 + 1, 2, flag, " ")
        case "M": pad(minute, 2, flag)
        case "p": flag == "#" ? (hour < 12 ? "am" : "pm") : hour < 12 ? "AM" : "PM"
        case "P": hour < 12 ? "am" : "pm"
        case "S": pad(second, 2, flag)
        case "z", "Z": ""
        default: nil
        }
    }

    private func composite(_ directive: Unicode.Scalar) -> String? {
        func join(_ directives: String, _ separator: String) -> String {
            directives.unicodeScalars.map { field($0, nil) ?? "" }.joined(separator: separator)
        }
        return switch directive {
        case "c": join("abeTY", " ")
        case "D", "x": join("mdy", "/")
        case "F": join("Ymd", "-")
        case "r": join("IMS", ":") + " " + join("p", "")
        case "R": join("HM", ":")
        case "T", "X": join("HMS", ":")
        case "n": "\n"
        case "t": "\t"
        case "%": "%"
        default: nil
        }
    }
}
