import ApusCore
import ApusFormats
import FuzzSupport

/// Parses the input as JSON; what parses must survive being written and parsed again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let value = try? JSONValue(parsing: FuzzInput(start, count).bytes, name: "input") else { return 0 }
    visit(value)
    let compact = written(value, .compact)
    // An infinite double (1e999) is the one value that the parser takes and the writer cannot write as JSON.
    guard !compact.contains("Infinity") else { return 0 }
    for format in [JSONWriter.Format.compact, .pretty, .init(escapesNonASCII: true)] {
        guard let again = try? JSONValue(parsing: Array(written(value, format).utf8), name: "again") else {
            preconditionFailure("what was written does not parse")
        }
        precondition(written(again, .compact) == compact)
    }
    return 0
}

private func written(_ value: JSONValue, _ format: JSONWriter.Format) -> String {
    var writer = JSONWriter(format)
    writer.value(value)
    return writer.text
}

/// Asks every value for everything; depth is bounded by the parser.
private func visit(_ value: JSONValue) {
    _ = try? value.integer()
    _ = try? value.double()
    _ = try? value.bool()
    _ = value.malformed(expected: "something")
    if let string = try? value.string() {
        let count = try? value.withStringBytes { $0.byteCount }
        precondition(count == string.utf8.count)
    }
    if let elements = try? value.elements() {
        precondition(elements.count == elements.reduce(0) { count, _ in count + 1 })
        for element in elements { visit(element) }
    }
    guard let members = try? value.members() else { return }
    precondition(members.count == members.reduce(0) { count, _ in count + 1 })
    for (key, member) in members {
        let text = try? key.string()
        precondition(text.flatMap { members[$0] } != nil)
        visit(member)
    }
}
