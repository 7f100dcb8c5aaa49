import ApusCore
import ApusStore
import ApusTestSupport
import Testing

@Suite struct StoreConfigurationTests {
    @Test func theFolderComesFromTheFirstVariableThatIsSet() throws {
        let all = ["HOME": "/h", "XDG_CACHE_HOME": "/c", "APUS_HOME": "/a"]
        #expect(try StoreConfiguration(environment: all).folder == "/a")
        #expect(try StoreConfiguration(environment: ["HOME": "/h", "XDG_CACHE_HOME": "/c"]).folder == "/c/apus")
        #expect(try StoreConfiguration(environment: ["HOME": "/h", "XDG_CACHE_HOME": ""]).folder == "/h/.cache/apus")
        #expect(throws: ApusError.self) { try StoreConfiguration(environment: [:]) }
    }

    @Test func theHubsAndOllamasOwnVariablesCount() throws {
        let plain = try StoreConfiguration(environment: ["HOME": "/h"])
        #expect(plain.hubCacheFolder == "/h/.cache/huggingface/hub")
        #expect(plain.ollamaFolders.first == "/h/.ollama/models")
        #expect(plain.hubEndpoint == "https://huggingface.co")
        let set = try StoreConfiguration(environment: [
            "HOME": "/h", "HF_HOME": "/f", "OLLAMA_MODELS": "/o", "HF_ENDPOINT": "https://mirror",
            "HF_TOKEN": " hf_x\n",
            "HF_HUB_OFFLINE": "1",
        ])
        #expect(set.hubCacheFolder == "/f/hub")
        #expect(set.ollamaFolders == ["/o"])
        #expect(set.hubEndpoint == "https://mirror")
        #expect(set.hubToken == "hf_x")
        #expect(set.isOffline)
    }

    @Test func theTokenFileServesWhereTheVariableIsNotSet() throws {
        let folder = try TemporaryFolder()
        try folder.write("hf_file\n", to: "token")
        #expect(try StoreConfiguration(environment: ["HOME": "/h", "HF_HOME": folder.path]).hubToken == "hf_file")
        #expect(try StoreConfiguration(environment: ["HOME": "/h", "HF_TOKEN": "two words"]).hubToken == nil)
    }

    @Test func byteCountsReadAsPeopleWriteThem() {
        #expect(ByteCount.text(0) == "0 bytes")
        #expect(ByteCount.text(999) == "999 bytes")
        #expect(ByteCount.text(98_362_432) == "98.4 MB")
        #expect(ByteCount.text(491_400_064) == "491 MB")
        #expect(ByteCount.text(999_999_999) == "1.0 GB")
    }
}
