#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The time of day.
package enum WallClock {
    /// Whole seconds since 1970.
    package static var secondsSince1970: Int { time(nil) }
}
