import ApusCore
import ApusEngine
import Testing

@Suite struct StopStringMatcherTests {
    /// Feeds text in pieces of a given length: what came out at each piece, and the stop string.
    private static func feed(_ text: String, _ stops: [String], piece: Int) throws -> (shown: String, stop: Int?) {
        var matcher = try StopStringMatcher(stopStrings: stops)
        var shown: [UInt8] = []
        var stop: Int?
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let output = matcher.append(bytes[start..<min(start + piece, bytes.count)])
            shown += output.bytes
            stop = stop ?? output.stopIndex
        }
        shown += matcher.flush()
        return (String(decoding: shown, as: UTF8.self), stop)
    }

    @Test(arguments: [1, 2, 3, 5, 100]) func stopStringsSpanPieces(piece: Int) throws {
        let cases: [(String, [String], String, Int?)] = [
            ("Hello world", ["wor"], "Hello ", 0),
            ("Hello world", ["xyz", "o w"], "Hell", 1),
            ("Hello", ["Hello!"], "Hello", nil),
            ("aaaab", ["aaab"], "a", 0),
            ("ababac", ["abac"], "ab", 0),
            ("abcd", ["bcd", "abcd", "d"], "", 1),
            ("abcd", ["abcd", "bc"], "a", 1),
            ("line\n\nUser: hi", ["\nUser:"], "line\n", 0),
            ("grüße", ["ß"], "grü", 0),
            ("no stops", [], "no stops", nil),
            ("", ["x"], "", nil),
        ]
        for (text, stops, shown, stop) in cases {
            let found = try Self.feed(text, stops, piece: piece)
            #expect(found.shown == shown, "\(text)")
            #expect(found.stop == stop, "\(text)")
        }
    }

    @Test func onlyBytesThatMayBecomeAStopStringAreHeldBack() throws {
        var matcher = try StopStringMatcher(stopStrings: ["STOP", "\n\n"])
        #expect(matcher.append("ab\n".utf8) == .init(bytes: Array("ab".utf8), stopIndex: nil))
        #expect(matcher.append("c ST".utf8) == .init(bytes: Array("\nc ".utf8), stopIndex: nil))
        #expect(matcher.append("X".utf8) == .init(bytes: Array("STX".utf8), stopIndex: nil))
        #expect(matcher.append("STOP and more".utf8) == .init(bytes: [], stopIndex: 0))
        #expect(matcher.append("after".utf8) == .init(bytes: [], stopIndex: 0))
        #expect(matcher.flush() == [])
    }

    @Test func anyCutGivesTheSameAsSearchingTheWholeText() throws {
        var state: UInt64 = 1
        func next(_ count: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % count)
        }
        func word(_ length: Int) -> String { String((0..<length).map { _ in next(3) == 0 ? "b" : "a" }) }
        for _ in 0..<500 {
            let text = word(next(40))
            let stops = (0..<1 + next(4)).map { _ in word(1 + next(6)) }
            let expected = Self.search(text, stops)
            for piece in [1, 4, 41] { #expect(try Self.feed(text, stops, piece: piece).shown == expected) }
        }
    }

    /// The text before the stop string that is complete first, the longest among those that end together.
    private static func search(_ text: String, _ stops: [String]) -> String {
        for end in 1..<text.count + 1 {
            let prefix = text.prefix(end)
            if let longest = stops.filter({ prefix.hasSuffix($0) }).map(\.count).max() {
                return String(prefix.dropLast(longest))
            }
        }
        return text
    }

    @Test func hostileStopStringsAreRefused() {
        let cases: [([String], String)] = [
            (["a", ""], "stop string 1: expected 1 to 4096 bytes, found 0"),
            ([String(repeating: "x", count: 4097)], "stop string 0: expected 1 to 4096 bytes, found 4097"),
            (Array(repeating: "x", count: 65), "stop: expected at most 64 strings, found 65"),
        ]
        for (stops, message) in cases {
            let error = #expect(throws: ApusError.self) { try StopStringMatcher(stopStrings: stops) }
            #expect(error?.message == message)
        }
    }

    @Test func longRepetitionsCostNoMoreThanTheirLength() throws {
        let stops = (1...64).map { String(repeating: "a", count: 4000 + $0) + "b" }
        let text = String(repeating: "a", count: 100_000)
        #expect(try Self.feed(text, stops, piece: 5000).shown == text)
    }
}
