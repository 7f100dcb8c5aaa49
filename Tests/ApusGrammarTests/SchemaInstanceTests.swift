import ApusCore
import ApusFormats
import ApusGrammar
import ApusTestSupport
import Testing

/// What other people's tools call valid and invalid: tools/fixtures/grammar-instances.py.
struct SchemaInstanceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let schema: String
        let valid: [String]
        let invalid: [String]
        var testDescription: String { schema }
    }

    static let cases: [Case] = {
        do {
            let file = try JSONValue(parsing: MappedFile(path: Fixture.path("grammar/instances.json")).bytes)
            return try file.elements().map { element in
                var writer = JSONWriter(.compact)
                writer.value(try element.member("schema"))
                return Case(
                    schema: writer.text,
                    valid: try element.member("valid").elements().map { try $0.string() },
                    invalid: try element.member("invalid").elements().map { try $0.string() }
                )
            }
        } catch {
            return []
        }
    }()

    @Test("1,000 valid instances of other people's making are there, and 200 invalid ones")
    func counts() {
        #expect(Self.cases.count >= 40)
        #expect(Self.cases.map(\.valid.count).reduce(0, +) == 1_000)
        #expect(Self.cases.map(\.invalid.count).reduce(0, +) == 200)
    }

    @Test("Valid instances are taken to the end, invalid ones are not", arguments: cases)
    func instances(_ test: Case) throws {
        let rules = try schema(test.schema)
        for text in test.valid { #expect(try accepts(rules, text), "takes \(text)") }
        for text in test.invalid { #expect(try !accepts(rules, text), "refuses \(text)") }
    }
}
