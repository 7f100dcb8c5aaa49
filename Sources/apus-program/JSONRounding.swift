/// Numbers as JSON output prints them.
enum JSONRounding {
    /// Rounded to thousandths: more digits of a measurement say nothing.
    static func thousandths(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
