import Apus

/// Numbers as JSON output prints them.
enum JSONRounding {
    /// Rounded to thousandths: more digits of a measurement say nothing.
    static func thousandths(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

extension JSONWriter {
    /// A member of a report: a measurement, rounded.
    mutating func member(_ name: String, _ value: Double) {
        key(name)
        self.value(JSONRounding.thousandths(value))
    }

    /// A member of a report: a count.
    mutating func member(_ name: String, _ value: Int) {
        key(name)
        self.value(value)
    }

    /// A member of a report: a name.
    mutating func member(_ name: String, _ value: String) {
        key(name)
        self.value(value)
    }
}
