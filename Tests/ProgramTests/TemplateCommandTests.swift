import ApusTestSupport
import Foundation
import Subprocess
import Testing

/// `template` prints the prompt and nothing else.
@Suite struct TemplateCommandTests {
    private let store: PrivateStore
    private let messages: String

    init() throws {
        store = try PrivateStore()
        messages = try store.write(Array(#"[{"role": "user", "content": "Hi"}]"#.utf8), to: "messages.json")
    }

    private func template(_ text: String) throws -> String { try store.write(Array(text.utf8), to: "chat.jinja") }

    @Test func aTemplateFileRendersToItsBytes() async throws {
        let body = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        let file = try template("{{ bos_token }}\(body){{ eos_token }}")
        let outcome = try await store.apus("template", file, "--messages", messages, "--bos", "<s>", "--eos", "</s>")
        #expect(outcome.output == "<s><user>Hi</s>")
        #expect(outcome.errors.isEmpty)
    }

    @Test func theGenerationPromptCanBeLeftOut() async throws {
        let file = try template("{{ messages | length }}{% if add_generation_prompt %}<assistant>{% endif %}")
        #expect(try await store.apus("template", file, "--messages", messages).output == "1<assistant>")
        let without = try await store.apus("template", file, "--messages", messages, "--no-generation-prompt")
        #expect(without.output == "1")
    }

    @Test func toolsAndTheTimeReachTheTemplate() async throws {
        let file = try template("{{ tools[0].name }} {{ strftime_now('%Y-%m-%d') }}")
        let tools = try store.write(Array(#"[{"name": "clock"}]"#.utf8), to: "tools.json")
        let time = "2026-01-31T12:00:00Z"
        let outcome = try await store.apus("template", file, "--messages", messages, "--tools", tools, "--now", time)
        #expect(outcome.output == "clock 2026-01-31")
    }

    @Test func aModelWithoutATemplateIsRefusedNamingRaw() async throws {
        let model = try store.write(TinyModelFile("llama").bytes, to: "tiny.gguf")
        try await store.apus("template", model, "--messages", messages).expectOneLine("--raw")
        try await store.apus("run", model, "Hi").expectOneLine("--raw")
        try await store.apus("chat", model).expectOneLine("--raw")
    }

    @Test func messagesThatAreNoArrayAreRefused() async throws {
        let file = try template("x")
        let broken = try store.write(Array("{".utf8), to: "broken.json")
        try await store.apus("template", file, "--messages", broken).expectOneLine("broken.json")
        let time = try await store.apus("template", file, "--messages", messages, "--now", "noon")
        #expect(time.status == .exited(2))
    }
}
