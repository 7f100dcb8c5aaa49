#if Hub
import ApusCore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A repository on the Hugging Face hub, or on another server that speaks its paths.
struct HubSource: ModelSource {
    let reference: HubReference
    let endpoint: URL
    let token: String?
    private let policy: HubPolicy
    private let report: @Sendable (PullEvent) -> Void

    var description: String { reference.description }
    var canResume: Bool { true }

    /// Creates a source.
    /// - Throws: `ApusError` if the endpoint is no HTTP address.
    init(
        _ reference: HubReference,
        configuration: StoreConfiguration,
        report: @escaping @Sendable (PullEvent) -> Void
    ) throws {
        var text = configuration.hubEndpoint[...]
        while text.hasSuffix("/") { text = text.dropLast() }
        guard let url = URL(string: String(text)), ["http", "https"].contains(url.scheme?.lowercased()),
            url.host() != nil
        else {
            throw ApusError(
                .invalidArgument,
                "HF_ENDPOINT: expected an address such as https://huggingface.co, found \(text.debugDescription)"
            )
        }
        self.reference = reference
        endpoint = url
        token = configuration.hubToken
        policy = configuration.hubPolicy
        self.report = report
    }

    func listing() async throws -> SourceListing {
        try await HubClient.withClient(endpoint: endpoint, token: token, policy: policy) { client in
            let info = try await retrying(reference.repository) { try await information(client) }
            let known = Dictionary(info.siblings.map { ($0.rfilename, $0) }, uniquingKeysWith: { first, _ in first })
            var files: [SourceFile] = []
            for path in try HubSelection.paths(for: reference, among: Array(known.keys).sorted()) {
                let stated = known[path]
                var file = SourceFile(path: "\(commit(info))/\(path)", byteCount: stated?.lfs?.size ?? stated?.size)
                file.sha256 = stated?.lfs?.sha256.flatMap { ContentHash.isHexDigits($0) ? $0 : nil }
                if file.sha256 == nil {
                    let head = try await retrying(file.name) {
                        try await checked(client.send(address(of: file), method: .HEAD))
                    }
                    file.sha256 = head.linkedSHA256
                    file.byteCount = head.linkedByteCount ?? file.byteCount
                }
                guard file.byteCount ?? 0 >= 0 else {
                    throw ApusError(
                        .malformedFile,
                        "\(reference): \(path): expected a size, found \(file.byteCount ?? 0)"
                    )
                }
                files.append(file)
            }
            return SourceListing(files: files, licence: info.licence)
        }
    }

    func fetch(
        _ file: SourceFile,
        into partial: PartialFile,
        report progress: @escaping @Sendable (_ received: Int) -> Void
    ) async throws {
        try await HubClient.withClient(endpoint: endpoint, token: token, policy: policy) { client in
            try await retrying(file.name, progress: { partial.byteCount }) {
                try await receive(file, from: client, into: partial, report: progress)
            }
        }
    }

    /// Asks for the repository's files at the wanted revision.
    private func information(_ client: HubClient) async throws -> RepositoryInfo {
        let revision = escaped(reference.revision, slash: true)
        let address =
            "\(endpoint.absoluteString)/api/models/\(reference.repository)/revision/\(revision)?blobs=true"
        let response = try await checked(client.send(address))
        var content: [UInt8] = []
        for try await buffer in response.body {
            content += buffer.readableBytesView
            guard content.count <= 1 << 26 else {
                throw ApusError(.malformedFile, "\(reference): expected a list of files under 64 MB, found more")
            }
        }
        do {
            return try JSONDecoder().decode(RepositoryInfo.self, from: Data(content))
        } catch {
            throw ApusError(
                .malformedFile,
                "\(reference): expected a list of files in the hub's JSON form",
                cause: error
            )
        }
    }

    /// Receives what is missing of a file.
    private func receive(
        _ file: SourceFile,
        from client: HubClient,
        into partial: PartialFile,
        report: @escaping @Sendable (_ received: Int) -> Void
    ) async throws {
        if let total = file.byteCount {
            if partial.byteCount == total { return }
            if partial.byteCount > total { try partial.restart() }
        }
        let response = try await client.send(address(of: file), from: partial.byteCount)
        if response.status == 416 {
            try partial.restart()
            throw TransientFailure(reason: "the server refused to go on where the download stopped")
        }
        try await checked(response)
        if response.status == 206 {
            guard response.headers.first(name: "Content-Range")?.hasPrefix("bytes \(partial.byteCount)-") == true else {
                try partial.restart()
                throw TransientFailure(reason: "the server sent another range than asked for")
            }
        } else if partial.byteCount > 0 {
            // The server knows no ranges: it sends all of the file again.
            try partial.restart()
        }
        for try await buffer in response.body {
            try Task.checkCancellation()
            guard buffer.readableBytes <= (file.byteCount ?? .max) - partial.byteCount else {
                throw ApusError(
                    .download,
                    "\(reference): \(file.name): expected \(file.byteCount ?? 0) bytes, found more; refused"
                )
            }
            try partial.append(Array(buffer.readableBytesView))
            report(partial.byteCount)
        }
        if let total = file.byteCount, partial.byteCount < total {
            throw TransientFailure(
                reason: "the connection ended after \(ByteCount.text(partial.byteCount)) of \(ByteCount.text(total))"
            )
        }
    }

    /// Tries work again while its failures may pass, starting to count anew whenever bytes have arrived.
    private func retrying<Result>(
        _ what: String,
        progress: () -> Int = { 0 },
        _ work: () async throws -> Result
    ) async throws -> Result {
        var failures = 0
        while true {
            let before = progress()
            do {
                return try await work()
            } catch let error as ApusError {
                throw error
            } catch {
                try Task.checkCancellation()
                let failure = error as? TransientFailure ?? TransientFailure(reason: "the connection broke: \(error)")
                failures = progress() > before ? 1 : failures + 1
                guard failures < policy.attemptLimit else {
                    throw ApusError(
                        .download,
                        "\(reference): \(what): \(failure.reason); gave up after \(failures) tries, pull again to go on"
                    )
                }
                report(.retrying(file: what, reason: failure.reason))
                try await Task.sleep(for: policy.pause(afterFailures: failures, requested: failure.pause))
            }
        }
    }

    /// The commit the list of files belongs to, so that all files come from the same one.
    private func commit(_ info: RepositoryInfo) -> String {
        info.sha.flatMap { ModelName.isValid($0) ? $0 : nil } ?? escaped(reference.revision, slash: true)
    }

    /// Where a file of the listing is; its path starts with the commit.
    private func address(of file: SourceFile) -> String {
        let steps = file.path.split(separator: "/", maxSplits: 1).map(String.init)
        let path = escaped(steps.last ?? "", slash: false)
        return "\(endpoint.absoluteString)/\(reference.repository)/resolve/\(steps.first ?? "")/\(path)"
    }

    /// A path with every byte that is not plain written as `%XX`; slashes stay unless `slash` says otherwise.
    private func escaped(_ path: String, slash: Bool) -> String {
        let digits = Array("0123456789ABCDEF")
        return path.utf8.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.append(Character(Unicode.Scalar(byte)))
            case UInt8(ascii: "/") where !slash: text.append("/")
            default: text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
#endif
