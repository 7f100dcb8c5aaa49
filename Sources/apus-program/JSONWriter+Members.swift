import Apus

extension JSONWriter {
    /// A member that is text, or null.
    mutating func member(_ key: String, _ value: String?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }

    /// A member that counts.
    mutating func member(_ key: String, _ value: Int) {
        self.key(key)
        self.value(value)
    }

    /// A member that is measured: rounded to thousandths.
    mutating func member(_ key: String, _ value: Double) {
        self.key(key)
        self.value(JSONRounding.thousandths(value))
    }
}
