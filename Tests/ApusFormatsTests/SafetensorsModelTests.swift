import ApusCore
import ApusFormats
import Testing

@Suite struct SafetensorsModelTests {
    @Test func aSingleFileHoldsWhatTheReferenceWrote() throws {
        let model = try SafetensorsModel(path: Fixtures.path("safetensors/valid/single.safetensors"))
        try expectTensors(
            model.tensors,
            try Fixtures.json("safetensors/valid/valid.json").member("single.safetensors")
        )
        #expect(model.tensor(named: "b.weight")?.shape == [4, 3, 2])
        #expect(model.tensor(named: "scalar")?.elementCount == 1)
        #expect(model.tensor(named: "none") == nil)
    }

    @Test func aFolderOfShardsIsOneModel() throws {
        let folder = try ModelFolder(path: Fixtures.path("safetensors/valid/hub"))
        let model = try folder.tensors()
        #expect(model.paths.count == 2)
        try expectTensors(model.tensors, try Fixtures.json("safetensors/valid/valid.json").member("hub"))
    }

    @Test func aFoldersFilesAreReadWhereTheyExist() throws {
        let folder = try ModelFolder(path: Fixtures.path("safetensors/valid/hub"))
        #expect(try folder.configuration.member("hidden_size").integer() == 4)
        #expect(try folder.generationConfiguration()?.member("eos_token_id").elements().count == 2)
        #expect(try folder.tokenizerConfiguration()?.member("bos_token").string() == "<s>")
        #expect(try folder.tokenizer()?.member("model").member("vocab").members().count == 1)
        #expect(try folder.chatTemplate() == "{{ messages }}")
    }

    @Test func aFolderWithoutConfigurationIsRefused() {
        let error = #expect(throws: ApusError.self) {
            try ModelFolder(path: Fixtures.path("safetensors/malformed"))
        }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("config.json: cannot open") == true)
    }
}
