import ApusServe
import Testing

struct FieldTableTests {
    private static let table = FieldTable(
        "Test",
        [
            Field("count", .integer(1...8), "A count.", isRequired: true),
            Field("share", .number(0...1), "A share."),
            Field("stop", .oneOf([.string, .array(.string, counts: 0...2)]), "Texts."),
            .ignored("user", .string, "Ignored."),
        ],
        refused: ["audio": "there is no sound"]
    )

    @Test func goodFieldsAreRead() throws {
        let fields = try Body.fields(#"{"count": 3, "share": 0.5, "stop": ["a", "b"], "user": "u"}"#, Self.table)
        #expect(fields.integer(Self.table.fields[0]) == 3)
        #expect(fields.double(Self.table.fields[1]) == 0.5)
        #expect(fields.strings(Self.table.fields[2]) == ["a", "b"])
        #expect(fields.ignored == ["user"])
    }

    @Test func nullIsAbsent() throws {
        let fields = try Body.fields(#"{"count": 1, "share": null, "audio": null, "user": null}"#, Self.table)
        #expect(fields[Self.table.fields[1]] == nil)
        #expect(fields.ignored.isEmpty)
    }

    @Test func aWholeNumberMayHaveAFractionOfZero() throws {
        #expect(try Body.fields(#"{"count": 2.0}"#, Self.table).integer(Self.table.fields[0]) == 2)
    }

    @Test(arguments: [
        (#"{"count": 1, "sharp": 1}"#, "sharp"), (#"{"count": 1, "audio": {}}"#, "audio"), (#"{"share": 1}"#, "count"),
        (#"{"count": null}"#, "count"), (#"{"count": 0}"#, "count"), (#"{"count": -1}"#, "count"),
        (#"{"count": 1.5}"#, "count"), (#"{"count": "1"}"#, "count"), (#"{"count": true}"#, "count"),
        (#"{"count": 1e999}"#, "count"), (#"{"count": 99999999999999999999}"#, "count"),
        (#"{"count": 1, "share": -0.1}"#, "share"), (#"{"count": 1, "share": 1e999}"#, "share"),
        (#"{"count": 1, "stop": [1]}"#, "stop[0]"), (#"{"count": 1, "stop": ["a", "b", "c"]}"#, "stop"),
        (#"{"count": 1, "stop": 5}"#, "stop"), (#"{"count": 1, "count": 2}"#, "count"),
        (#"{"count": 1, "user": {"a": 1, "a": 2}}"#, "a"),
    ])
    func aBadFieldIsNamed(json: String, field: String) throws {
        let error = try #require(Body.refusal(json, Self.table))
        #expect(error.status == 400)
        #expect(error.field == field, "\(error.message)")
        #expect(error.message.contains(field))
    }

    @Test(arguments: [
        "", "{", "null", "[]", "\"text\"", "{\"count\": 1} trailing", "{\"count\": NaN}", "{'count': 1}",
        "{\"count\": 01}",
    ])
    func whatIsNoObjectIsRefused(json: String) throws {
        #expect(try #require(Body.refusal(json, Self.table)).status == 400)
    }

    @Test func depthIsBounded() throws {
        let json = #"{"count": 1, "user": "# + String(repeating: "[", count: 100_000)
        #expect(try #require(Body.refusal(json, Self.table)).message.contains("128"))
    }

    @Test func invalidUTF8IsRefused() {
        #expect(throws: ServiceError.self) {
            try API.json(Array("{\"user\": \"".utf8) + [0xC3, 0x28] + Array("\"}".utf8))
        }
    }

    @Test func longKeysAreCutInMessages() throws {
        let json = #"{"count": 1, ""# + String(repeating: "x", count: 100_000) + #"": 1}"#
        let error = try #require(Body.refusal(json, Self.table))
        #expect(error.message.utf8.count < 400)
    }
}
