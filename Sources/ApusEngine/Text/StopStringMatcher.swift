internal import ApusCore

/// Finds stop strings in text that arrives in pieces, and holds back only bytes that may still become one.
///
/// Text ends before the first stop string that is complete, the longest if several end at the same byte; that does not
/// depend on how the text is cut into pieces. Each string is followed by its own automaton (Knuth, Morris and Pratt,
/// "Fast Pattern Matching in Strings"), so a byte costs a constant amount of work per stop string on average. A value;
/// each generation needs its own.
public struct StopStringMatcher: Sendable {
    /// What is known after a piece of text.
    public struct Output: Sendable, Equatable {
        /// Bytes that are certainly not part of a stop string.
        public let bytes: [UInt8]
        /// Which of the stop strings ended the text; nil while it goes on.
        public let stopIndex: Int?

        package init(bytes: [UInt8], stopIndex: Int?) {
            self.bytes = bytes
            self.stopIndex = stopIndex
        }
    }

    /// The most stop strings a matcher takes.
    public static let maximumCount = 64
    /// The most bytes of a stop string.
    public static let maximumByteCount = 4096

    private let patterns: [Pattern]
    /// How many bytes of each pattern the text ends with.
    private var matched: [Int]
    /// Bytes held back: the longest part of a pattern that the text ends with.
    private var held: [UInt8] = []
    private var stopIndex: Int?

    /// Creates a matcher for stop strings given as UTF-8 or any other bytes.
    /// - Throws: `ApusError` with code `invalidArgument` for an empty string, one over `maximumByteCount` bytes, or more
    ///   than `maximumCount` strings.
    public init(stopStrings: [[UInt8]]) throws {
        guard stopStrings.count <= Self.maximumCount else {
            throw ApusError(
                .invalidArgument,
                "stop: expected at most \(Self.maximumCount) strings, found \(stopStrings.count)"
            )
        }
        for (index, string) in stopStrings.enumerated() where !(1...Self.maximumByteCount).contains(string.count) {
            throw ApusError(
                .invalidArgument,
                "stop string \(index): expected 1 to \(Self.maximumByteCount) bytes, found \(string.count)"
            )
        }
        patterns = stopStrings.map(Pattern.init)
        matched = Array(repeating: 0, count: stopStrings.count)
    }

    /// Creates a matcher for stop strings.
    /// - Throws: as for bytes.
    public init(stopStrings: [String]) throws {
        try self.init(stopStrings: stopStrings.map { Array($0.utf8) })
    }

    /// Takes the next piece of text.
    ///
    /// After a stop string everything is dropped.
    /// - Returns: the bytes that are free to be shown, and the stop string if one is complete.
    public mutating func append(_ bytes: some Swift.Sequence<UInt8>) -> Output {
        for byte in bytes {
            if stopIndex != nil { break }
            held.append(byte)
            advance(byte)
        }
        if let stopIndex {
            let free = Array(held.dropLast(patterns[stopIndex].bytes.count))
            held.removeAll()
            return Output(bytes: free, stopIndex: stopIndex)
        }
        let free = Array(held.dropLast(matched.max() ?? 0))
        held.removeFirst(free.count)
        return Output(bytes: free, stopIndex: nil)
    }

    /// Ends the text.
    /// - Returns: the bytes that were held back.
    public mutating func flush() -> [UInt8] {
        defer {
            held.removeAll()
            for index in matched.indices { matched[index] = 0 }
        }
        return stopIndex == nil ? held : []
    }

    private mutating func advance(_ byte: UInt8) {
        for (index, pattern) in patterns.enumerated() {
            matched[index] = pattern.next(after: matched[index], byte)
            guard matched[index] == pattern.bytes.count else { continue }
            let longest = stopIndex.map { patterns[$0].bytes.count } ?? 0
            if pattern.bytes.count > longest { stopIndex = index }
        }
    }

    /// A stop string with, for each of its prefixes, the longest shorter prefix that is also its suffix.
    private struct Pattern: Sendable {
        let bytes: [UInt8]
        private let borders: [Int]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var borders = [0, 0]
            var border = 0
            for index in bytes.indices.dropFirst() {
                while border > 0 && bytes[border] != bytes[index] { border = borders[border] }
                if bytes[border] == bytes[index] { border += 1 }
                borders.append(border)
            }
            self.borders = borders
        }

        /// How many bytes match once `byte` follows `count` matching bytes, fewer than all.
        func next(after count: Int, _ byte: UInt8) -> Int {
            var count = count
            while count > 0 && bytes[count] != byte { count = borders[count] }
            return bytes[count] == byte ? count + 1 : 0
        }
    }
}
