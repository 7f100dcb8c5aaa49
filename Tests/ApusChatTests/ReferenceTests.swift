import ApusChat
import ApusCore
import ApusFormats
import ApusTestSupport
import Foundation
import Testing

@Suite("Templates render as Python's jinja2 does")
struct ReferenceTests {
    @Test("every point of expressions, statements and whitespace control has Python's outcome")
    func cases() throws {
        let variables = try Fixture.variables(try Fixture.json("context.json"))
        var count = 0
        for element in try Fixture.json("cases.json").elements() {
            let source = try element.member("source").string()
            let outcome = Outcome(source, variables)
            #expect(try outcome.matches(element), "\(source.debugDescription) gave \(outcome)")
            count += 1
        }
        #expect(count > 900)
    }

    @Test("the templates of real models render every conversation to Python's bytes")
    func realTemplates() throws {
        guard let folder = Fixture.fetchedTemplates else {
            if FetchedData.isRequired { Issue.record("chat templates are missing: run tools/test-data") }
            return
        }
        var conversations: [String: [String: ChatValue]] = [:]
        for member in try Fixture.json("conversations.json").members() {
            conversations[try member.key.string()] = try Fixture.variables(member.value)
        }
        for model in try Fixture.json("rendered.json").members() {
            let name = try model.key.string()
            let source = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            for rendering in try model.value.members() {
                let label = try rendering.key.string()
                let outcome = Outcome(source, try #require(conversations[label]))
                #expect(try outcome.matches(rendering.value), "\(name), \(label): \(outcome)")
            }
        }
    }

    @Test(
        "random conversations of tools/fixtures/templates/fuzz.py render to Python's bytes",
        .enabled(if: Fixture.vectors != nil)
    )
    func randomConversations() throws {
        let path = try #require(Fixture.vectors)
        let root = try JSONValue(parsing: Array(Data(contentsOf: URL(filePath: path))), name: path)
        let sources = try root.member("sources").elements().map { try $0.string() }
        for element in try root.member("cases").elements() {
            let source = try element.member("source").integer()
            let outcome = Outcome(sources[source], try Fixture.variables(try element.member("context")))
            #expect(try outcome.matches(element), "\(source): \(outcome)")
        }
    }
}
