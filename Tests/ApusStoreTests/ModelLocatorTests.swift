import ApusCore
import ApusStore
import ApusTestSupport
import Foundation
import Testing

@Suite struct ModelLocatorTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func locator() throws -> ModelLocator {
        try ModelLocator(configuration: StoreConfiguration(folder: "\(folder.path)/store", isOffline: true))
    }

    private func message(_ text: String) throws -> String {
        do {
            _ = try locator().localModel(text)
            return "no error"
        } catch let error as ApusError {
            return error.message
        }
    }

    @Test func aPathToAFileOrAFolderNeedsNoStore() throws {
        let file = try folder.write("x", to: "a.gguf")
        #expect(try locator().localModel(file)?.path == file)
        try folder.write("{}", to: "model/config.json")
        try folder.write("x", to: "model/model.safetensors")
        let model = try #require(try locator().localModel("\(folder.path)/model"))
        #expect(model.path == "\(folder.path)/model")
        #expect(model.files.count == 2)
    }

    @Test func aSplitFileIsOneModelAndMissesNoPart() throws {
        let first = try folder.write("x", to: "m-00001-of-00002.gguf")
        #expect(try message(first).contains("m-00002-of-00002.gguf: expected beside the other parts"))
        try folder.write("x", to: "m-00002-of-00002.gguf")
        #expect(try locator().localModel(first)?.files.count == 2)
    }

    @Test func aKnownModelThatIsNotPulledIsNoError() throws {
        #expect(try locator().localModel("smollm2") == nil)
    }

    @Test func anUnknownNameSuggestsTheNearest() throws {
        #expect(try message("smolm2").contains("did you mean smollm2?"))
        #expect(try message("entirely-else").contains("apus list --all"))
        try folder.write("x", to: "model.gguf")
        #expect(try message("\(folder.path)/modle.gguf").contains("did you mean \(folder.path)/model.gguf?"))
        #expect(try message("Qwen/Qwen3-0.6B").contains("apus pull hf:Qwen/Qwen3-0.6B"))
    }

    @Test func aFolderWithoutWeightsNamesTheFilesItHas() throws {
        try folder.write("x", to: "only/a.gguf")
        #expect(try message("\(folder.path)/only").contains("name one of its .gguf files"))
    }

    @Test(arguments: [
        "hf:", "hf:org", "hf:a/b/c", "hf:../x", "hf:org/x@", "hf:org/x:", "hf:org/x:../y", "hf:org/x@../y", "a b", "",
    ])
    func aReferenceOfNoFormIsRefused(text: String) {
        #expect(throws: ApusError.self) { try ModelReference(text) }
    }

    @Test func referencesReadAsTheyAreWritten() throws {
        #expect(try ModelReference("smollm2") == .name("smollm2"))
        #expect(try ModelReference("./smollm2") == .path("./smollm2"))
        #expect(try ModelReference("a.GGUF") == .path("a.GGUF"))
        guard case .hub(let hub) = try ModelReference("hf:org/name@v1:Q4_0") else {
            Issue.record("expected a hub reference")
            return
        }
        #expect(hub.repository == "org/name")
        #expect(hub.revision == "v1")
        #expect(hub.file == "Q4_0")
        #expect("\(hub)" == "hf:org/name@v1:Q4_0")
    }

    @Test func theCatalogueIsCompleteAndItsNamesAreValid() throws {
        let catalogue = try Catalogue.builtIn()
        #expect(catalogue.entry(named: "smollm2")?.licence == "Apache-2.0")
        #expect(Set(catalogue.models.map(\.name)).count == catalogue.models.count)
        for entry in catalogue.models {
            #expect(try ModelReference(entry.name) == .name(entry.name))
            #expect(!entry.licence.isEmpty)
            if case .hf(let text) = entry.source { _ = try ModelReference("hf:\(text)") }
        }
    }
}
