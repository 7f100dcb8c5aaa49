#if Hub
import ApusCore
import ApusStore
import ApusTestSupport
import Foundation
import Testing

/// One server for all tests: what it does is chosen by the repository's name, and each test has its own.
private let sharedServer = Result { try HubServer() }

@Suite struct HubSourceTests {
    private let folder: TemporaryFolder
    private let server: HubServer
    private let log = EventLog()

    init() throws {
        folder = try TemporaryFolder()
        server = try sharedServer.get()
    }

    private func locator(token: String? = nil, hubCache: String? = nil, endpoint: String? = nil) throws -> ModelLocator
    {
        var configuration = StoreConfiguration(
            folder: folder.path,
            hubCacheFolder: hubCache,
            hubEndpoint: endpoint ?? server.endpoint,
            hubToken: token
        )
        configuration.hubPolicy.firstPause = .milliseconds(1)
        configuration.hubPolicy.readTimeout = .milliseconds(500)
        return try ModelLocator(configuration: configuration, catalogue: Catalogue(json: Array(#"{"models":[]}"#.utf8)))
    }

    @discardableResult
    private func pull(_ text: String, token: String? = nil, isForced: Bool = false) async throws -> ModelManifest {
        try await locator(token: token).pull(text, isForced: isForced, report: log.add)
    }

    private func message(_ text: String, token: String? = nil) async -> String {
        do {
            try await pull(text, token: token)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func aFileComesThroughTheRedirectWithItsHashAndLicence() async throws {
        let manifest = try await pull("hf:org/plain")
        #expect(manifest.name == "plain")
        #expect(manifest.licence == "apache-2.0")
        #expect(manifest.files.map(\.name) == ["model with space.gguf"])
        #expect(manifest.files.map(\.byteCount) == [1_280_000])
        let model = try #require(try locator().localModel("plain"))
        #expect(FileManager.default.contents(atPath: model.path)?.count == 1_280_000)
        #expect(folder.files(under: "partial").isEmpty)
        #expect(try locator().localModel("hf:org/plain") == model)
    }

    @Test func theTokenGoesToTheHubAndNeverToTheStorageHost() async throws {
        try await pull("hf:org/private", token: "hf_secret")
        let requests = try server.requests(of: "private")
        #expect(requests.contains { $0.hasPrefix("GET hub") && $0.hasSuffix("token=hf_secret") })
        #expect(requests.contains { $0.hasPrefix("GET storage") })
        #expect(requests.allSatisfy { !$0.hasPrefix("GET storage") || $0.hasSuffix("token=-") })
    }

    @Test func aDroppedConnectionIsContinuedWhereItBroke() async throws {
        try await pull("hf:org/dropping")
        #expect(log.retryCount == 2)
        let ranges = try server.requests(of: "dropping").filter { $0.contains("storage") }
        #expect(ranges.count == 3)
        #expect(ranges[0].contains("range=- "))
        // A reset may take bytes with it that were sent but not yet read: the client goes on from what it has.
        let starts = ranges.dropFirst().compactMap { line in
            line.split(separator: "range=bytes=").last.flatMap { Int($0.prefix { $0.isNumber }) }
        }
        #expect(starts.count == 2)
        #expect(starts[0] > 0 && starts[0] <= 300_000)
        #expect(starts[1] > starts[0] && starts[1] <= starts[0] + 300_000)
    }

    @Test func aSilentConnectionTimesOutAndIsContinued() async throws {
        try await pull("hf:org/stalling")
        #expect(log.retryCount == 1)
    }

    @Test func anInterruptedPullIsContinuedByTheNext() async throws {
        #expect(await message("hf:org/always-dropping").contains("gave up after"))
        #expect(folder.files(under: "partial").count == 1)
        #expect(folder.files(under: "models").isEmpty)
        let before = try server.requests(of: "always-dropping").count
        #expect(await message("hf:org/always-dropping").contains("gave up after"))
        let next = try server.requests(of: "always-dropping")[before...].first { $0.contains("storage") }
        // A reset may take bytes with it that were sent but not yet read: the pull goes on from what it has.
        let start = next?.split(separator: "range=bytes=").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        #expect((1...300_000).contains(start))
    }

    @Test(arguments: ["no-ranges", "wrong-range", "range-refused"])
    func aServerThatMishandlesRangesIsReadFromTheStart(repository: String) async throws {
        let manifest = try await pull("hf:org/\(repository)")
        #expect(manifest.byteCount == 1_280_000)
    }

    @Test func aDamagedPartialFileIsFetchedAnew() async throws {
        let sha256 = try await pull("hf:org/plain").files[0].sha256
        _ = try await ModelStore(folder: folder.path).remove("plain")
        try folder.write(String(repeating: "x", count: 5000), to: "partial/\(sha256)")
        #expect(try await pull("hf:org/plain").files[0].sha256 == sha256)
    }

    @Test(arguments: ["wrong-bytes", "too-many"])
    func wrongContentIsRefusedAndLeavesNothing(repository: String) async throws {
        #expect(await message("hf:org/\(repository)").contains("refused"))
        #expect(folder.files(under: "blobs").isEmpty)
        #expect(folder.files(under: "models").isEmpty)
    }

    @Test func aFileListWithoutHashesGetsThemFromTheRedirect() async throws {
        let manifest = try await pull("hf:org/no-hashes")
        #expect(try server.requests(of: "no-hashes").contains { $0.hasPrefix("HEAD hub") })
        #expect(manifest.byteCount == 1_280_000)
    }

    @Test func aFolderModelBringsTheFilesTheEngineReads() async throws {
        let manifest = try await pull("hf:org/folder")
        #expect(manifest.files.map(\.name) == ["config.json", "model.safetensors"])
        #expect(manifest.licence == "mit")
        #expect(try locator().localModel("folder")?.path == "\(folder.path)/files/folder")
    }

    @Test func oneOfSeveralModelsIsChosenByFileOrQuantization() async throws {
        let all = await message("hf:org/several")
        #expect(all.contains("a-q4_k_m.gguf, a-q8_0.gguf"))
        #expect(try await pull("hf:org/several:Q8_0").files.map(\.name) == ["a-q8_0.gguf"])
        #expect(try await pull("hf:org/several:a-q4_k_m.gguf").name == "a-q4_k_m")
        #expect(await message("hf:org/several:Q5_0").contains("no single file is meant by 'Q5_0'"))
    }

    @Test func aSplitFileBringsAllItsParts() async throws {
        let manifest = try await pull("hf:org/split:q4_0")
        #expect(manifest.files.count == 2)
        #expect(try locator().localModel(manifest.name)?.path.hasSuffix("m-q4_0-00001-of-00002.gguf") == true)
    }

    @Test func aRevisionWithASlashAndARenamedRepositoryAreFound() async throws {
        #expect(try await pull("hf:org/plain@v1/x").source == "hf:org/plain@v1/x")
        #expect(try await pull("hf:org/old-name").byteCount == 1_280_000)
    }

    @Test func aBusyServerIsAskedAgain() async throws {
        try await pull("hf:org/busy")
        #expect(log.retryCount == 2)
    }

    @Test func errorsSayWhatToDo() async throws {
        #expect(
            await message("hf:org/gated").contains("accept its terms at \(server.endpoint)/org/gated and set HF_TOKEN")
        )
        #expect(await message("hf:org/gated", token: "hf_other").contains("accept its terms"))
        #expect(await message("hf:org/private").contains("set HF_TOKEN to a token from"))
        #expect(await message("hf:org/private", token: "hf_other").contains("the token was refused"))
        #expect(await message("hf:org/missing").contains("no such repository"))
        #expect(await message("hf:org/plain@v9").contains("no revision v9"))
        #expect(await message("hf:org/garbage").contains("expected a list of files"))
        #expect(await message("hf:org/loop").contains("at most 10 redirects"))
    }

    @Test func aPathThatClimbsStaysInTheFolder() async throws {
        _ = await message("hf:org/climbing")
        #expect(folder.files().allSatisfy { !$0.contains("escape") || $0.hasPrefix("files/") })
    }

    @Test func aServerThatIsNotThereIsGivenUp() async throws {
        let locator = try locator(endpoint: "http://127.0.0.1:9")
        await #expect(throws: ApusError.self) { try await locator.pull("hf:org/plain") }
    }

    @Test func twoPullsAtOnceFetchOnceAndAgree() async throws {
        async let first = pull("hf:org/twice")
        async let second = pull("hf:org/twice")
        let manifests = try await [first, second]
        #expect(manifests[0].files == manifests[1].files)
        #expect(try server.requests(of: "twice").filter { $0.hasPrefix("GET storage") }.count == 1)
    }

    @Test func aFileInTheHubCacheIsAdoptedByItsHash() async throws {
        let other = try TemporaryFolder()
        let content = try #require(FileManager.default.contents(atPath: try await pulledPath("hf:org/adopted")))
        let sha256 = try #require(try ModelStore(folder: folder.path).manifest(named: "adopted")).files[0].sha256
        _ = try await ModelStore(folder: folder.path).remove("adopted")
        try other.write("", to: "models--org--adopted/blobs/\(sha256)")
        try content.write(to: URL(fileURLWithPath: "\(other.path)/models--org--adopted/blobs/\(sha256)"))
        let before = try server.requests(of: "adopted").filter { $0.contains("storage") }.count
        let manifest = try await locator(hubCache: other.path).pull("hf:org/adopted", report: log.add)
        #expect(manifest.files[0].adoptedFrom?.hasSuffix(sha256) == true)
        #expect(try server.requests(of: "adopted").filter { $0.contains("storage") }.count == before)
    }

    private func pulledPath(_ text: String) async throws -> String {
        let manifest = try await pull(text)
        return try #require(try locator().localModel(manifest.name)).path
    }
}
#endif
