extension Terminal {
    /// The command as it was typed, for what keeps how it came about.
    static var commandLine: String {
        "apus " + CommandLine.arguments.dropFirst().map(\.shellQuoted).joined(separator: " ")
    }
}

extension String {
    /// The word as a shell takes it.
    fileprivate var shellQuoted: String {
        let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,=:+@%"
        if !isEmpty, allSatisfy({ plain.contains($0) }) { return self }
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
