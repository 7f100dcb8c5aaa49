import ApusCore
import ApusStore
import ApusTestSupport
import Foundation
import Testing

@Suite struct ModelStoreTests {
    private let folder: TemporaryFolder
    private let outside: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        outside = try TemporaryFolder()
    }

    private var store: ModelStore { ModelStore(folder: folder.path) }

    private func locator(ollama: Bool = false, hub: Bool = false) throws -> ModelLocator {
        let configuration = StoreConfiguration(
            folder: folder.path,
            hubCacheFolder: hub ? outside.path : nil,
            ollamaFolders: ollama ? [outside.path] : [],
            isOffline: true
        )
        return try ModelLocator(configuration: configuration, catalogue: Catalogue(json: Array(#"{"models":[]}"#.utf8)))
    }

    @Test func aPlainFileIsCopiedUnderItsHashAndFoundByName() async throws {
        let path = try outside.write("abc", to: "My Model.gguf")
        let manifest = try await locator().pull(path)
        #expect(manifest.name == "my-model")
        // FIPS 180-4's example.
        #expect(manifest.files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(folder.files(under: "blobs") == ["sha256-\(manifest.files[0].sha256)"])
        try FileManager.default.removeItem(atPath: path)
        let model = try #require(try locator().localModel("my-model"))
        #expect(try String(contentsOfFile: model.path, encoding: .utf8) == "abc")
        #expect(model.path.hasSuffix("/My Model.gguf"))
    }

    @Test func aNameInUseByAnotherSourceIsRefused() async throws {
        _ = try await locator().pull(try outside.write("abc", to: "a.gguf"), name: "x")
        let other = try outside.write("def", to: "b.gguf")
        await #expect(throws: ApusError.self) { try await locator().pull(other, name: "x") }
        #expect(try await locator().pull(other, name: "x", isForced: true).byteCount == 3)
    }

    @Test(arguments: ["../up", "a/b", "", ".hidden", "-dash", "sp ace", String(repeating: "a", count: 129)])
    func aNameThatIsNoFileNameIsRefused(name: String) async throws {
        let path = try outside.write("abc", to: "a.gguf")
        await #expect(throws: ApusError.self) { try await locator().pull(path, name: name) }
        await #expect(throws: ApusError.self) { try await store.remove(name) }
    }

    @Test func removalKeepsWhatAnotherModelUses() async throws {
        let path = try outside.write("abc", to: "a.gguf")
        _ = try await locator().pull(path, name: "one")
        _ = try await locator().pull(path, name: "two")
        #expect(try await store.remove("one") == 0)
        #expect(try locator().localModel("two") != nil)
        #expect(try await store.remove("two") == 3)
        #expect(folder.files(under: "blobs").isEmpty)
        #expect(store.names().isEmpty)
    }

    @Test func aDamagedManifestIsNamedAndCanBeRemoved() async throws {
        try folder.write("{", to: "models/bad.json")
        #expect(throws: ApusError.self) { try store.manifest(named: "bad") }
        #expect(try await store.remove("bad") == 0)
    }

    @Test func aManifestThatLeadsOutOfTheStoreIsRefused() throws {
        let file = #"{"name":"../../x","sha256":"\#(String(repeating: "a", count: 64))","bytes":1}"#
        try folder.write(
            #"{"version":1,"name":"bad","source":"file:x","pulled_at":"","files":[\#(file)]}"#,
            to: "models/bad.json"
        )
        #expect(throws: ApusError.self) { try store.manifest(named: "bad") }
    }

    @Test func aHubCacheSnapshotIsAdoptedOfflineWithoutACopy() async throws {
        let repository = "models--org--tiny"
        try outside.write("abc", to: "\(repository)/blobs/0123")
        try outside.write("c0ffee", to: "\(repository)/refs/main")
        try outside.write("", to: "\(repository)/snapshots/c0ffee/.keep")
        try FileManager.default.createSymbolicLink(
            atPath: "\(outside.path)/\(repository)/snapshots/c0ffee/tiny.gguf",
            withDestinationPath: "../../blobs/0123"
        )
        let manifest = try await locator(hub: true).pull("hf:org/tiny")
        #expect(manifest.files[0].adoptedFrom?.hasSuffix("\(repository)/blobs/0123") == true)
        #expect(try locator().localModel("tiny")?.path.hasSuffix("tiny.gguf") == true)
    }

    private func writeOllamaModel() throws {
        let model = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let licence = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        try outside.write("abc", to: "blobs/sha256-\(model)")
        try outside.write("\n  MIT License\nand so on", to: "blobs/sha256-\(licence)")
        let layers = """
            {"mediaType":"application/vnd.ollama.image.model","digest":"sha256:\(model)","size":3},
            {"mediaType":"application/vnd.ollama.image.license","digest":"sha256:\(licence)","size":3}
            """
        try outside.write(
            #"{"schemaVersion":2,"layers":[\#(layers)]}"#,
            to: "manifests/registry.ollama.ai/library/tiny/1b"
        )
    }

    @Test func anOllamaModelIsAdoptedWithItsLicence() async throws {
        try writeOllamaModel()
        let manifest = try await locator(ollama: true).pull("ollama:tiny:1b")
        #expect(manifest.name == "tiny-1b")
        #expect(manifest.licence == "MIT License")
        #expect(manifest.files[0].name == "tiny-1b.gguf")
        #expect(try locator().localModel("ollama:tiny:1b")?.name == "tiny-1b")
        await #expect(throws: ApusError.self) { try await locator(ollama: true).pull("ollama:other") }
    }

    @Test func anAdoptedFileThatDisappearsIsAnErrorThatNamesIt() async throws {
        try writeOllamaModel()
        let manifest = try await locator(ollama: true).pull("ollama:tiny:1b")
        let original = try #require(manifest.files[0].adoptedFrom)
        // As it is where a hard link is impossible: the store's content is a link to the file.
        let blob = "\(folder.path)/blobs/sha256-\(manifest.files[0].sha256)"
        try FileManager.default.removeItem(atPath: blob)
        try FileManager.default.createSymbolicLink(atPath: blob, withDestinationPath: original)
        #expect(try locator().localModel("tiny-1b") != nil)
        try FileManager.default.removeItem(atPath: original)
        let error = #expect(throws: ApusError.self) { try locator().localModel("tiny-1b") }
        #expect(error?.message.contains("adopted from \(original), which is gone") == true)
        #expect(error?.message.contains("apus pull --force tiny-1b") == true)
    }

    @Test func whatInterruptedPullsLeftCanBeRemoved() async throws {
        try folder.write("12345", to: "partial/abc")
        #expect(try await store.removePartials() == 5)
        #expect(folder.files(under: "partial").isEmpty)
    }

    @Test func aFullDiskIsToldBeforeTheCopyStarts() async throws {
        let path = "\(outside.path)/huge.gguf"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        // Sparse: 4 exabytes that no disk has.
        guard truncate(path, 1 << 42) == 0 else { return }
        let error = await #expect(throws: ApusError.self) { try await locator().pull(path) }
        #expect(error?.message.contains("free some space") == true)
        #expect(folder.files(under: "partial").isEmpty)
    }
}
