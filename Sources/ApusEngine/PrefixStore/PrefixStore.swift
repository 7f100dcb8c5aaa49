internal import ApusCore
package import ApusTensor
internal import Dispatch
internal import Synchronization

/// A model's full blocks on disk, so that what was computed before a restart need not be computed again.
///
/// A file per block, named after the tokens up to its end, in the model's folder within a `PrefixFolder`. One queue
/// writes and one reads, both directly from and to the pool's memory, without buffers; the engine's thread only leaves
/// orders and takes the outcome from its inbox. A file that is not exactly what it has to be (`BlockFile`) is removed, and
/// the block computed. Thread-safe.
package final class PrefixStore: BlockArchive, Sendable {
    /// What has become of an order.
    package enum Event: Sendable, Equatable {
        /// So many blocks of a sequence have been filled.
        case restored(id: Int, count: Int)
        /// A block has been written as so many bytes, or could not be: 0.
        case saved(block: Int32, byteCount: Int)
    }

    private let folder: PrefixFolder
    private let modelFolder: PrivateFolder
    private let folderName: String
    private let file: BlockFile
    private let blockLength: Int
    private let memory: KVBlockMemory
    private let maximumSavingCount: Int
    private let reader = DispatchQueue(label: "apus.restore", qos: .userInitiated)
    private let writer = DispatchQueue(label: "apus.save", qos: .utility)
    private let saves = DispatchGroup()
    private let state: Mutex<State>

    private struct State {
        var stored: Set<BlockName> = []
        var saving: Set<BlockName> = []
        var report: @Sendable (Event) -> Void = { _ in }
    }

    /// Opens a model's folder and notes which blocks are there.
    /// - Parameters:
    ///   - folder: where the models' folders are.
    ///   - fingerprint: the model.
    ///   - shape: its keys and values.
    ///   - type: how they are stored.
    ///   - memory: the pool's blocks.
    ///   - contextLength: the most tokens of a text.
    /// - Throws: `ApusError` if the folder cannot be used or its limit is below a single block.
    package init(
        folder: PrefixFolder,
        fingerprint: ModelFingerprint,
        shape: KVShape,
        type: KVType,
        memory: KVBlockMemory,
        contextLength: Int
    ) throws {
        self.folder = folder
        folderName = fingerprint.text
        modelFolder = try PrivateFolder(folderName, in: folder.folder, creates: true)
        file = BlockFile(fingerprint: fingerprint, shape: shape, type: type)
        blockLength = type.blockLength
        self.memory = memory
        maximumSavingCount = min(64, max(1, memory.blockCount / 4))
        let largest = file.byteCount(tokenCount: contextLength)
        guard largest <= folder.byteLimit else {
            throw ApusError(
                .invalidArgument,
                "\(folder.path): a block of this model takes up to \(ByteCount.text(largest)), the cache may have only "
                    + "\(ByteCount.text(folder.byteLimit)): raise --cache-size"
            )
        }
        state = Mutex(State(stored: Set(modelFolder.names.compactMap(Self.blockName))))
    }

    /// Sets where outcomes are reported, from any thread.
    package func connect(_ report: @escaping @Sendable (Event) -> Void) {
        state.withLock { $0.report = report }
    }

    /// Waits until everything that was to be saved is, or the time is up.
    package func finishSaving(within duration: Duration) {
        _ = saves.wait(timeout: .now() + duration / .seconds(1))
    }

    // MARK: Names

    /// The name of a block's file.
    package static func fileName(of name: BlockName) -> String { BlockFile.hexadecimal(name.value) + ending }

    /// The block of a file's name; nil for other names.
    static func blockName(of name: String) -> BlockName? {
        guard name.hasSuffix(ending), let value = UInt64(name.dropLast(ending.count), radix: 16) else { return nil }
        let block = BlockName(value: value)
        return fileName(of: block) == name ? block : nil
    }

    /// Whether a name could be that of a model's folder.
    static func isFolderName(_ name: String) -> Bool {
        name.utf8.count == 32 && name.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    private static let ending = ".kv"

    // MARK: Orders

    package func mayRestore(_ name: BlockName) -> Bool { state.withLock { $0.stored.contains(name) } }

    package func saving(of name: BlockName) -> SavingState {
        state.withLock { state in
            if state.stored.contains(name) || state.saving.contains(name) { return .done }
            return state.saving.count < maximumSavingCount && folder.isWritten ? .wanted : .full
        }
    }

    package func save(_ order: SaveOrder) {
        state.withLock { _ = $0.saving.insert(order.name) }
        saves.enter()
        writer.async { [self] in
            let byteCount = write(order)
            let report = state.withLock { state in
                state.saving.remove(order.name)
                if byteCount > 0 { state.stored.insert(order.name) }
                return state.report
            }
            report(.saved(block: order.block, byteCount: byteCount))
            saves.leave()
        }
    }

    package func restore(_ order: RestoreOrder) {
        reader.async { [self] in
            var count = 0
            while count < order.names.count, !order.isUnwanted.isSet, read(order, number: count) { count += 1 }
            state.withLock { $0.report }(.restored(id: order.id, count: count))
        }
    }

    package func touch(_ names: [BlockName]) {
        let now = PrivateFolder.Instant.now
        writer.async { [self] in
            var missing: [BlockName] = []
            for (number, name) in names.enumerated() where mayRestore(name) {
                // Later blocks are of no use without earlier ones, so they are the first to go.
                let used = now.earlier(microseconds: number)
                if !modelFolder.touch(Self.fileName(of: name), used) { missing.append(name) }
            }
            if !missing.isEmpty { state.withLock { $0.stored.subtract(missing) } }
        }
    }

    // MARK: Files

    /// - Returns: the bytes written; 0 if nothing was.
    private func write(_ order: SaveOrder) -> Int {
        let byteCount = file.byteCount(tokenCount: order.tokenCount)
        guard folder.isWritten, let removed = folder.makeRoom(byteCount) else { return 0 }
        let own = removed.filter { $0.folder == folderName }.compactMap { Self.blockName(of: $0.name) }
        if !own.isEmpty { state.withLock { $0.stored.subtract(own) } }
        do {
            let tokens = order.tokens[..<order.tokenCount]
            let name = Self.fileName(of: order.name)
            try file.write(order.block, of: memory, tokens: tokens, as: name, in: modelFolder)
            return byteCount
        } catch {
            folder.stopWriting(error)
            return 0
        }
    }

    private func read(_ order: RestoreOrder, number: Int) -> Bool {
        let name = order.names[number]
        let end = order.start + (number + 1) * blockLength
        let fileName = Self.fileName(of: name)
        do {
            let tokens = order.tokens[..<end]
            try file.read(into: order.blocks[number], of: memory, tokens: tokens, from: fileName, in: modelFolder)
            return true
        } catch {
            if error is FileMismatch { modelFolder.remove(fileName) }
            state.withLock { _ = $0.stored.remove(name) }
            return false
        }
    }
}
