internal import ApusCore
internal import Synchronization

/// A folder in which models keep what they have computed of prompts, for the time after a restart.
///
/// Several models may share one: each has a folder of its own in it, and all of them one limit. What has not been used for
/// the longest time goes first. Thread-safe.
public final class PrefixFolder: Sendable {
    /// The folder.
    public let path: String
    /// The most bytes of all files together.
    public let byteLimit: Int

    let folder: PrivateFolder
    private let warn: @Sendable (String) -> Void
    private let state: Mutex<State>

    private struct State {
        /// Bytes of all files when they were last counted, and written since.
        var countedByteCount = 0
        var writtenByteCount = 0
        var isWritten = true

        var byteCount: Int { countedByteCount + writtenByteCount }
    }

    /// A file that was removed to make room.
    struct Removed {
        let folder: String
        let name: String
    }

    /// 4 GB: some 170,000 tokens of a model like SmolLM2-135M, 140,000 of one of 1.5 billion parameters.
    public static let defaultByteLimit = 4_000_000_000

    /// Opens a folder, which is created, for the owner only, if it is missing.
    /// - Parameters:
    ///   - path: the folder.
    ///   - byteLimit: the most bytes of all files together.
    ///   - warn: called once, with a line for people, when nothing more can be written.
    /// - Throws: `ApusError` naming the folder and the remedy if it cannot be read and written.
    public init(
        path: String,
        byteLimit: Int = PrefixFolder.defaultByteLimit,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        guard byteLimit > 0 else {
            throw ApusError(.invalidArgument, "\(path): the size of the cache: expected 1 byte or more, found \(byteLimit)")
        }
        self.path = path
        self.byteLimit = byteLimit
        self.warn = warn
        folder = try PrivateFolder(path: path)
        try folder.write("probe") { _ in }
        folder.remove("probe")
        state = Mutex(State())
        _ = makeRoom(0)
    }

    /// Whether files are still written.
    var isWritten: Bool { state.withLock { $0.isWritten } }

    /// Ends all writing, with a warning the first time.
    func stopWriting(_ error: any Error) {
        let isFirst = state.withLock { state in
            defer { state.isWritten = false }
            return state.isWritten
        }
        if isFirst { warn("\(error); prompts are no longer kept in \(path)") }
    }

    /// Counts `byteCount` bytes that are about to be written, and removes the files that were not used for the longest
    /// time if they would be too many.
    /// - Returns: the files that were removed; nil if there cannot be room.
    func makeRoom(_ byteCount: Int) -> [Removed]? {
        guard byteCount <= byteLimit else { return nil }
        return state.withLock { state in
            // Another program may write here too: what it wrote is noticed after a while.
            let isOld = state.writtenByteCount > byteLimit / 16 || state.byteCount == 0
            var removed: [Removed] = []
            if isOld || state.byteCount + byteCount > byteLimit {
                state.countedByteCount = reduce(to: byteLimit - byteCount, &removed)
                state.writtenByteCount = 0
            }
            state.writtenByteCount += byteCount
            return removed
        }
    }

    private struct Entry {
        let folder: PrivateFolder
        let folderName: String
        let name: String
        let byteCount: Int
        let used: PrivateFolder.Instant
    }

    /// Counts all files and, if they are too many, removes the least recently used ones, some more than needed so that it
    /// need not be done for every file.
    private func reduce(to limit: Int, _ removed: inout [Removed]) -> Int {
        let entries = entries()
        var total = entries.reduce(0) { $0.addingReportingOverflow($1.byteCount).partialValue }
        guard total > limit else { return total }
        for entry in entries.sorted(by: { $0.used < $1.used }) where total > limit - limit / 32 {
            entry.folder.remove(entry.name)
            removed.append(Removed(folder: entry.folderName, name: entry.name))
            total -= entry.byteCount
        }
        return total
    }

    /// All files of blocks; those that were never finished are removed.
    private func entries() -> [Entry] {
        var entries: [Entry] = []
        let anHourAgo = PrivateFolder.Instant.now.earlier(microseconds: 3_600_000_000)
        for folderName in folder.names where PrefixStore.isFolderName(folderName) {
            guard let inner = try? PrivateFolder(folderName, in: folder, creates: false) else { continue }
            for name in inner.names {
                guard let status = inner.status(of: name) else { continue }
                if name.hasSuffix(PrivateFolder.temporaryEnding) {
                    if status.used < anHourAgo { inner.remove(name) }
                } else if PrefixStore.blockName(of: name) != nil {
                    entries.append(
                        Entry(
                            folder: inner,
                            folderName: folderName,
                            name: name,
                            byteCount: status.byteCount,
                            used: status.used
                        )
                    )
                }
            }
        }
        return entries
    }
}
