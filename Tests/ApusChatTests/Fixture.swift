import ApusChat
import ApusCore
import ApusFormats
import ApusTestSupport
import Foundation

/// The committed outputs of Python's jinja2 (tools/fixtures/templates/make.py).
enum Fixture {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/templates")

    static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Array(Data(contentsOf: folder.appending(path: name))), name: name)
    }

    static func variables(_ object: JSONValue) throws -> [String: ChatValue] {
        var variables: [String: ChatValue] = [:]
        for member in try object.members() { variables[try member.key.string()] = try ChatValue(member.value) }
        return variables
    }

    /// The clock of the reference outputs.
    static let now = CalendarTime(iso8601: "2025-07-26T14:05:09")

    /// Where fetched chat templates lie (tools/test-data), nil if they are missing.
    static var fetchedTemplates: URL? { FetchedData.path("templates").map { URL(filePath: $0) } }

    /// A file of random renderings to compare, given by hand.
    static let vectors = ProcessInfo.processInfo.environment["APUS_TEMPLATE_VECTORS"]
}

/// What rendering led to: the text, or the error's message.
enum Outcome: Equatable {
    case text(String)
    case failure(String)

    init(_ source: String, _ variables: [String: ChatValue]) {
        do {
            let template = try ChatTemplate(source: source)
            self = .text(try template.render(variables: variables, now: Fixture.now))
        } catch let error as ApusError {
            self = .failure(error.message)
        } catch {
            self = .failure("not an ApusError: \(error)")
        }
    }

    /// Whether this is what Python made: the same bytes, or an error, with the message where the template raised it.
    func matches(_ expected: JSONValue) throws -> Bool {
        switch self {
        case .text(let text):
            if let wanted = try expected.memberIfPresent("text") {
                return try Array(text.utf8) == Array(wanted.string().utf8)
            }
            guard let hash = try expected.memberIfPresent("fnv1a") else { return false }
            return try text.utf8.count == expected.member("bytes").integer() && Outcome.fnv1a(text) == hash.string()
        case .failure(let message):
            guard let kind = try expected.memberIfPresent("error")?.string() else { return false }
            let wanted = try expected.member("message").string()
            return message.hasPrefix("chat template") && (kind != "TemplateError" || message.contains(wanted))
        }
    }

    private static func fnv1a(_ text: String) -> String {
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
