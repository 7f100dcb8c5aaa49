import Apus

/// Numbers as JSON output prints them.
enum JSONRounding {
    /// Rounded to thousandths: more digits of a measurement say nothing.
    static func thousandths(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
    /// Rounded to millionths, for what may be that small.
    static func millionths(_ value: Double) -> Double { (value * 1e6).rounded() / 1e6 }
}

extension JSONWriter {
    /// A member that is measured: rounded to thousandths.
    mutating func measurement(_ key: String, _ value: Double) { member(key, JSONRounding.thousandths(value)) }
}
