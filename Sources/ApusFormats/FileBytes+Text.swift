public import ApusCore

extension FileBytes {
    /// The bytes as text; nil if they are not valid UTF-8.
    public var text: String? {
        // sound because the pointer is only read, inside the call
        withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes as text, each invalid sequence replaced by U+FFFD: for showing only, since it loses bytes.
    public var repairedText: String {
        // sound because the pointer is only read, inside the call
        withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
