import ApusCore
import ApusFormats
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8), name: "test") }

    @Test func scalarsKeepTheirKindAndValue() throws {
        #expect(try parse(" null ").isNull)
        #expect(try parse("true").bool() && !parse("false").bool())
        #expect(try parse("-0").integer() == 0)
        #expect(try parse("9223372036854775807").integer() == .max)
        #expect(try parse("-9223372036854775808").integer() == .min)
        #expect(try parse("1.5e3").double() == 1500)
        #expect(try parse("7").double() == 7)
        #expect(try parse("\"\\u0041\\n\\/\"").string() == "A\n/")
    }

    @Test func integersBeyond64BitsAreDoubles() throws {
        #expect(try parse("9223372036854775808").kind == .double)
        #expect(try parse("9223372036854775808").double() == 9_223_372_036_854_775_808)
        #expect(try parse("-9223372036854775809").kind == .double)
        #expect(try parse("1.0").kind == .double)
        #expect(try parse("1e999").double() == .infinity)
    }

    @Test func surrogateEscapesArePairedAndHalvesReplaced() throws {
        #expect(try parse(#""\ud83d\ude00""#).string() == "\u{1F600}")
        #expect(try parse(#""\ud83d\u0041""#).string() == "\u{FFFD}A")
        #expect(try parse(#""\ude00\ud83d""#).string() == "\u{FFFD}\u{FFFD}")
        #expect(try parse(#""\ud83d\ud83d\ude00""#).string() == "\u{FFFD}\u{1F600}")
        #expect(try parse(#""\u0000""#).string() == "\0")
    }

    @Test func membersKeepTheirOrderAndTheLastDuplicateCounts() throws {
        let object = try parse(#"{"b": 1, "a": {"x": [1, 2]}, "b": 3, "\u0061\u0061": 4}"#)
        #expect(try object.members().map { try $0.key.string() } == ["b", "a", "b", "aa"])
        #expect(try object.members().count == 4)
        #expect(try object.member("b").integer() == 3)
        #expect(try object.member("aa").integer() == 4)
        #expect(try object.member("a").member("x").elements().map { try $0.integer() } == [1, 2])
    }

    @Test func nullCountsAsMissingWhereAMemberMayBe() throws {
        let object = try parse(#"{"a": null, "b": 1}"#)
        #expect(try object.memberIfPresent("a") == nil)
        #expect(try object.memberIfPresent("c") == nil)
        #expect(try object.memberIfPresent("b")?.integer() == 1)
    }

    @Test func stringBytesNeedNoString() throws {
        #expect(try parse(#""a\u00e9""#).withStringBytes { $0.byteCount } == 3)
        #expect(try parse(#""aé""#).withStringBytes { $0.byteCount } == 3)
    }

    @Test(arguments: [
        ("", "line 1, column 1: expected a value, found the end of the text"),
        ("\u{FEFF}1", "line 1, column 1: expected a value, found a byte order mark"),
        ("[1,]", "line 1, column 4: expected a value, found ']'"),
        ("[1 2]", "expected ',' or ']', found '2'"),
        ("[1", "expected ',' or ']', found the end of the text"),
        ("[}", "expected a value, found '}'"),
        ("{\"a\":1,}", "expected a key, found '}'"),
        ("{1:2}", "expected a key or '}', found '1'"),
        ("{\"a\" 1}", "expected ':', found '1'"),
        ("{\"a\":1]", "expected ',' or '}', found ']'"),
        ("\n\n 1 2", "line 3, column 4: expected the end of the text, found '2'"),
        ("01", "expected a number without leading zeros, found '1'"),
        ("-", "expected a digit"),
        ("1.", "expected a digit"),
        ("1.e5", "expected a digit, found 'e'"),
        ("1e+", "expected a digit"),
        ("+1", "expected a value, found '+'"),
        ("NaN", "expected a value, found 'N'"),
        ("nul", "expected a value, found 'n'"),
        ("\"a", "expected '\"', found the end of the text"),
        ("\"\u{01}\"", "expected control characters in strings to be escaped, found byte 0x1"),
        ("\"\\x\"", "after a backslash, found 'x'"),
        ("\"\\u12g4\"", "expected four hexadecimal digits"),
        ("// 1", "expected a value, found '/'"),
    ])
    func malformedTextIsRefusedWithItsPlace(text: String, message: String) {
        let error = #expect(throws: ApusError.self) { try parse(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80],
        [0xE2, 0x82], [0xF0, 0x9F, 0x98],
    ])
    func textThatIsNotUTF8IsRefused(bytes: [UInt8]) {
        let error = #expect(throws: ApusError.self) {
            try JSONValue(parsing: [0x22] + bytes + [0x22], name: "test")
        }
        #expect(error?.message.contains("expected valid UTF-8") == true)
    }

    @Test func depthAndSizeAreBounded() throws {
        let deep = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        _ = try parse(deep(128))
        #expect(throws: ApusError.self) { try parse(deep(129)) }
        #expect(throws: ApusError.self) { try parse(String(repeating: "[", count: 1 << 20)) }
        #expect(throws: ApusError.self) { try parse(String(repeating: "1", count: 2000)) }
        #expect(throws: ApusError.self) {
            try parse("[0" + String(repeating: ",0", count: 1 << 22) + "]")
        }
    }

    @Test func aWrongKindNamesItsPlace() throws {
        let value = try parse(#"{"rope": {"x y": [1, {"f": "no"}]}}"#)
        let inner = try #require(try value.member("rope").member("x y").elements().dropFirst().first)
        let kind = #expect(throws: ApusError.self) { try inner.member("f").integer() }
        #expect(kind?.message == #"test: JSON at ["rope"]["x y"][1]["f"]: expected an integer, found "no""#)
        let missing = #expect(throws: ApusError.self) { try inner.member("g") }
        #expect(missing?.message == #"test: JSON at ["rope"]["x y"][1]["g"] is missing"#)
        let root = #expect(throws: ApusError.self) { try value.elements() }
        #expect(root?.message == "test: JSON: expected an array, found object")
    }
}
