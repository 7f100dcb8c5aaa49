extension JSONWriter {
    /// Writes a member with a string, or `null`.
    package mutating func member(_ key: String, _ value: String?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member with an integer.
    package mutating func member(_ key: String, _ value: Int) {
        self.key(key)
        self.value(value)
    }

    /// Writes a member with a number.
    package mutating func member(_ key: String, _ value: Double) {
        self.key(key)
        self.value(value)
    }

    /// Writes a member with a truth value.
    package mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        self.value(value)
    }

    /// Writes a member with `null`.
    package mutating func nullMember(_ key: String) {
        self.key(key)
        null()
    }

    /// Writes a member with an object.
    package mutating func objectMember(_ key: String, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        object(body)
    }

    /// Writes a member with an array.
    package mutating func arrayMember(_ key: String, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        array(body)
    }
}
