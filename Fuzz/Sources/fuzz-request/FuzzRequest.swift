import ApusCore
import ApusFormats
import ApusServe
import FuzzSupport

/// Reads the input as what a client or a key file may bring; the first byte chooses: a digit the body of that endpoint,
/// `k` a key file, anything else a head of three lines, host, origin and request id.
///
/// What is refused must be the client's fault and say where; what is accepted must be in its range.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = FuzzInput(start, count).bytes
    guard let first = input.first else { return 0 }
    let rest = Array(input.dropFirst())
    let number = Int(first) - Int(UInt8(ascii: "0"))
    if tables.indices.contains(number) {
        checkBody(rest, tables[number])
    } else if first == UInt8(ascii: "k") {
        checkKeys(String(decoding: rest, as: UTF8.self))
    } else {
        checkHead(String(decoding: rest, as: UTF8.self))
    }
    return 0
}

/// Chat, completions, embeddings, tokenize, detokenize, apply-template.
private let tables = OpenAIEndpoints.all.compactMap(\.fields)

private func checkBody(_ body: [UInt8], _ table: FieldTable) {
    do {
        let json = try JSONValue(parsing: body, name: "the body")
        let fields = try table.read(json)
        var inference: InferenceRequest?
        if table.name == ChatRequest.table.name { inference = try ChatRequest(fields).inference }
        if table.name == CompletionRequest.table.name { inference = try CompletionRequest(fields).inference }
        guard let inference else { return }
        precondition((1...128).contains(inference.choiceCount) && (1...128).contains(inference.prompts.count))
        precondition(inference.maximumTokenCount ?? 1 > 0)
        precondition((try? inference.sampling.validate()) != nil)
    } catch let error as ServiceError {
        precondition(error.status == 400 && !error.message.isEmpty)
        precondition(!error.message.contains(where: \.isNewline) && error.message.utf8.count < 2000)
    } catch let error as ApusError {
        precondition(!error.message.isEmpty)
    } catch {
        preconditionFailure("\(error)")
    }
}

private func checkKeys(_ text: String) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        do {
            guard let line = try KeyLine(line, number: index + 1, path: "keys") else { continue }
            precondition(!line.secret.isEmpty && line.caller.name?.isEmpty == false)
            precondition(line.caller.concurrency ?? 1 > 0 && line.caller.tokensPerMinute ?? 1 > 0)
        } catch let error as ApusError {
            precondition(error.code == .malformedFile && error.message.hasPrefix("keys:\(index + 1): "))
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

private func checkHead(_ text: String) {
    let lines = text.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    let (host, origin) = (lines.first, lines.count > 1 ? lines[1] : nil)
    let policy = OriginPolicy(isLoopback: true, allowedOrigins: ["https://app.example"])
    if let allowed = try? policy.check(host: host, origin: origin) { precondition(allowed == "https://app.example") }
    let id = RequestIdentifier.make(from: lines.last)
    precondition((1...64).contains(id.utf8.count) && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
}

/// What the leak checker must not report: globals are made once, and it does not see what they hold through pointers that
/// carry an enumeration's case in their spare bits.
@_cdecl("__lsan_default_suppressions")
public func leakSuppressions() -> UnsafePointer<UInt8> {
    let text: StaticString = "leak:once_slow\n"
    return text.utf8Start
}
