import ApusChat

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension CalendarTime {
    /// This moment by the machine's clock, in UTC.
    package static var now: CalendarTime { CalendarTime(secondsSince1970: Int(time(nil))) }
}
