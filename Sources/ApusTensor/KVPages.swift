import CApusKernels

/// The exact pages of the KIVI types: a sequence's newest keys and values as half floats, until their page is full and
/// quantized into its half of a block (Liu et al., "KIVI", 2024, section 3).
///
/// A page begins at a multiple of 32 positions, whatever a step's chunks are. A page that a step fills lies in the step's
/// scratch memory, one for all layers, and ends in its block; one that stays open is kept in every layer, by the
/// sequence's slot. Not thread-safe: the engine's task owns it.
final class KVPages {
    /// Positions of a page.
    static var length: Int { Int(APUS_KV_PAGE) }

    /// Rows of one slice that lie in one page.
    private struct Piece: BitwiseCopyable {
        let firstRow: Int
        let rowCount: Int
        /// How many of the page's positions were there before the step.
        let heldCount: Int
        let slot: Int

        var isFilled: Bool { heldCount + rowCount == KVPages.length }
    }

    private let layerCount: Int
    private let pageByteCount: Int
    private let sequenceCapacity: Int
    private let arena: Arena
    private let kept: UnsafeMutableRawPointer
    private let filled: UnsafeMutableRawPointer
    private let filledCapacity: Int
    private let pieces: UnsafeMutablePointer<Piece>
    private var pieceCount = 0
    private var filledCount = 0
    private let sealedPages: UnsafeMutablePointer<UnsafeRawPointer>
    private let sealedBlocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let sealedPositions: UnsafeMutablePointer<Int64>

    /// Reserves the pages of `sequenceCapacity` sequences and of steps of up to `rowCapacity` rows.
    /// - Throws: `ApusError` (`outOfMemory`).
    init(shape: KVShape, sequenceCapacity: Int, rowCapacity: Int) throws {
        layerCount = shape.layerCount
        pageByteCount = Self.pageByteCount(shape)
        self.sequenceCapacity = sequenceCapacity
        filledCapacity = Self.filledCapacity(sequenceCapacity: sequenceCapacity, rowCapacity: rowCapacity)
        let size = Self.byteCount(shape: shape, sequenceCapacity: sequenceCapacity, rowCapacity: rowCapacity)
        arena = try Arena(name: "KV cache pages", byteCount: size)
        kept = arena.allocate(byteCount: sequenceCapacity * layerCount * pageByteCount)
        filled = arena.allocate(byteCount: filledCapacity * pageByteCount)
        pieces = arena.allocate(Piece.self, count: rowCapacity)
        sealedPages = arena.allocate(UnsafeRawPointer.self, count: filledCapacity)
        sealedBlocks = arena.allocate(UnsafeMutableRawPointer.self, count: filledCapacity)
        sealedPositions = arena.allocate(Int64.self, count: filledCapacity)
    }

    /// Bytes `init` reserves.
    static func byteCount(shape: KVShape, sequenceCapacity: Int, rowCapacity: Int) -> Int {
        let filledCapacity = filledCapacity(sequenceCapacity: sequenceCapacity, rowCapacity: rowCapacity)
        let page = pageByteCount(shape)
        return Arena.roundedUp(sequenceCapacity * shape.layerCount * page) + Arena.roundedUp(filledCapacity * page)
            + Arena.roundedUp(rowCapacity * MemoryLayout<Piece>.stride) + 3 * Arena.roundedUp(filledCapacity * 8)
    }

    private static func pageByteCount(_ shape: KVShape) -> Int {
        Int(apus_kv_page_bytes(Int64(shape.headCount), Int64(shape.headDimension)))
    }

    /// The most pages a step fills: whole ones, and each sequence's open one.
    private static func filledCapacity(sequenceCapacity: Int, rowCapacity: Int) -> Int {
        min(rowCapacity, sequenceCapacity + rowCapacity / length)
    }

    /// Forgets the last step's pieces.
    func beginStep() {
        pieceCount = 0
        filledCount = 0
    }

    /// Adds the rows of a slice that lie in the page of `position`.
    func add(firstRow: Int, rowCount: Int, position: Int, slot: Int, block: UnsafeMutableRawPointer) {
        precondition(slot >= 0 && slot < sequenceCapacity, "a sequence has one of \(sequenceCapacity) slots")
        let held = position % Self.length
        let piece = Piece(firstRow: firstRow, rowCount: rowCount, heldCount: held, slot: slot)
        pieces[pieceCount] = piece
        pieceCount += 1
        guard piece.isFilled else { return }
        precondition(filledCount < filledCapacity)
        sealedBlocks[filledCount] = block
        sealedPositions[filledCount] = Int64(position - held)
        filledCount += 1
    }

    /// Points rows and slices at their pages in a layer; slice `i` is the `i`th piece.
    func place(
        layer: Int,
        rows: UnsafeMutablePointer<UnsafeMutableRawPointer>,
        slices: UnsafeMutablePointer<apus_attention_slice>
    ) {
        var filledIndex = 0
        for index in 0..<pieceCount {
            let piece = pieces[index]
            var page = kept + (piece.slot * layerCount + layer) * pageByteCount
            if piece.isFilled {
                let target = filled + filledIndex * pageByteCount
                if piece.heldCount > 0 { target.copyMemory(from: page, byteCount: pageByteCount) }
                page = target
                sealedPages[filledIndex] = UnsafeRawPointer(page)
                filledIndex += 1
            }
            for row in piece.firstRow..<piece.firstRow + piece.rowCount { rows[row] = page }
            slices[index].page = UnsafeRawPointer(page)
        }
    }

    /// Quantizes the pages that the step has filled into their blocks of a layer.
    func seal(shape: KVShape, blockOffset: Int, kernel: @escaping apus_range_kernel, compute: Compute) {
        guard filledCount > 0 else { return }
        let arguments = apus_kv_seal_args(
            pages: sealedPages,
            blocks: sealedBlocks,
            positions: sealedPositions,
            kv_heads: Int64(shape.headCount),
            head_dimension: Int64(shape.headDimension),
            block_offset: Int64(blockOffset)
        )
        compute.pool.run(kernel, arguments, count: filledCount * shape.headCount, split: .claims(grain: 1))
    }
}
