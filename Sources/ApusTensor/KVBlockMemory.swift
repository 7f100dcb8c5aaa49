import ApusCore

/// The bytes of the KV blocks, by number: for the engine, and for whoever moves whole blocks in and out beside it.
///
/// Sound to share because nobody reads a block that another writes: rows are only written to blocks that one sequence
/// holds and that are not full yet; a block is read elsewhere once it is full, when it doesn't change until its last
/// holder gives it back (`BlockPool`); and it is written elsewhere while no sequence has it. What hands a block over, a
/// queue or an inbox, orders the accesses. The memory lives as long as anyone has this.
package final class KVBlockMemory: @unchecked Sendable {
    /// The version of docs/numbers.md as far as keys and values, or their layout in a block, depend on it: raised with any
    /// change of their bits, it keeps those of older programs from being used.
    package static let numbersVersion: UInt32 = 1

    /// Blocks.
    package let blockCount: Int
    /// Bytes of a block: all layers at all its positions.
    package let blockByteCount: Int
    let base: UnsafeMutableRawPointer
    private let arena: Arena

    /// Reserves blocks.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(blockCount: Int, blockByteCount: Int) throws {
        let (bytes, overflow) = blockCount.multipliedReportingOverflow(by: blockByteCount)
        guard !overflow else {
            throw ApusError(.outOfMemory, "a KV cache of \(blockCount) blocks does not fit memory; lower --context")
        }
        self.blockCount = blockCount
        self.blockByteCount = blockByteCount
        arena = try Arena(name: "KV cache", byteCount: bytes)
        base = arena.allocate(byteCount: bytes)
    }

    /// Calls `body` with a block that nobody writes meanwhile.
    package func withBytes<Result>(ofBlock block: Int32, _ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: address(block), count: blockByteCount).bytes)
    }

    /// Calls `body` with a block that nobody else has.
    package func withMutableBytes<Result>(
        ofBlock block: Int32,
        _ body: (inout MutableRawSpan) throws -> Result
    ) rethrows -> Result {
        var span = UnsafeMutableRawBufferPointer(start: address(block), count: blockByteCount).mutableBytes
        return try body(&span)
    }

    private func address(_ block: Int32) -> UnsafeMutableRawPointer {
        precondition(block >= 0 && block < blockCount)
        return base + Int(block) * blockByteCount
    }
}
