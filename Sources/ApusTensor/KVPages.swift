import CApusKernels

/// The exact pages of the KIVI types: a sequence's newest keys and values as half floats, until there are `residualLength`
/// of them and all are quantized into their halves of blocks (Liu et al., "KIVI", 2024, section 3).
///
/// Pages lie together, those of a window that begins at a multiple of `residualLength` positions, whatever a step's chunks
/// are. A window that a step fills lies in the step's scratch memory, one for all layers, and ends in its blocks; one that
/// stays open is kept in every layer, by the sequence's slot. Not thread-safe: the engine's task owns it.
final class KVPages {
    /// Positions of a page.
    private static var length: Int { Int(APUS_KV_PAGE) }

    /// Rows of one slice that lie in one window.
    private struct Piece: BitwiseCopyable {
        let firstRow: Int
        let rowCount: Int
        /// How many of the window's positions were there before the step.
        let heldCount: Int
        let slot: Int
        /// Where the window is among those the step fills; negative if it stays open.
        let filledIndex: Int
    }

    /// Positions that are quantized together.
    let residualLength: Int
    private let pageCount: Int
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
    init(shape: KVShape, residualLength: Int, sequenceCapacity: Int, rowCapacity: Int) throws {
        self.residualLength = residualLength
        pageCount = residualLength / Self.length
        layerCount = shape.layerCount
        pageByteCount = Self.pageByteCount(shape)
        self.sequenceCapacity = sequenceCapacity
        filledCapacity = Self.filledCapacity(residualLength, sequenceCapacity, rowCapacity)
        let size = Self.byteCount(
            shape: shape,
            residualLength: residualLength,
            sequenceCapacity: sequenceCapacity,
            rowCapacity: rowCapacity
        )
        arena = try Arena(name: "KV cache pages", byteCount: size)
        kept = arena.allocate(byteCount: sequenceCapacity * layerCount * pageCount * pageByteCount)
        filled = arena.allocate(byteCount: filledCapacity * pageCount * pageByteCount)
        pieces = arena.allocate(Piece.self, count: rowCapacity)
        sealedPages = arena.allocate(UnsafeRawPointer.self, count: filledCapacity * pageCount)
        sealedBlocks = arena.allocate(UnsafeMutableRawPointer.self, count: filledCapacity * pageCount)
        sealedPositions = arena.allocate(Int64.self, count: filledCapacity * pageCount)
        for page in 0..<filledCapacity * pageCount {
            sealedPages[page] = UnsafeRawPointer(filled + page * pageByteCount)
        }
    }

    /// Bytes `init` reserves.
    static func byteCount(shape: KVShape, residualLength: Int, sequenceCapacity: Int, rowCapacity: Int) -> Int {
        let pageCount = residualLength / length
        let filledPageCount = filledCapacity(residualLength, sequenceCapacity, rowCapacity) * pageCount
        let page = pageByteCount(shape)
        return Arena.roundedUp(sequenceCapacity * shape.layerCount * pageCount * page)
            + Arena.roundedUp(filledPageCount * page) + Arena.roundedUp(rowCapacity * MemoryLayout<Piece>.stride)
            + 3 * Arena.roundedUp(filledPageCount * 8)
    }

    private static func pageByteCount(_ shape: KVShape) -> Int {
        Int(apus_kv_page_bytes(Int64(shape.headCount), Int64(shape.headDimension)))
    }

    /// The most windows a step fills: whole ones, and each sequence's open one.
    private static func filledCapacity(_ residualLength: Int, _ sequenceCapacity: Int, _ rowCapacity: Int) -> Int {
        min(rowCapacity, sequenceCapacity + rowCapacity / residualLength)
    }

    /// Forgets the last step's pieces.
    func beginStep() {
        pieceCount = 0
        filledCount = 0
    }

    /// Adds the rows of a slice that lie in the window of `position`; `table` is where the sequence's positions are kept,
    /// 64 by 64.
    func add(firstRow: Int, rowCount: Int, position: Int, slot: Int, table: UnsafePointer<UnsafeRawPointer>) {
        precondition(slot >= 0 && slot < sequenceCapacity, "a sequence has one of \(sequenceCapacity) slots")
        let held = position % residualLength
        let isFilled = held + rowCount == residualLength
        pieces[pieceCount] = Piece(
            firstRow: firstRow,
            rowCount: rowCount,
            heldCount: held,
            slot: slot,
            filledIndex: isFilled ? filledCount : -1
        )
        pieceCount += 1
        guard isFilled else { return }
        precondition(filledCount < filledCapacity)
        for page in 0..<pageCount {
            let first = position - held + page * Self.length
            sealedBlocks[filledCount * pageCount + page] = UnsafeMutableRawPointer(
                mutating: table[first / KVBlocks.partLength]
            )
            sealedPositions[filledCount * pageCount + page] = Int64(first)
        }
        filledCount += 1
    }

    /// Points rows and slices at their pages in a layer; slice `i` is the `i`th piece.
    func place(
        layer: Int,
        rows: UnsafeMutablePointer<UnsafeMutableRawPointer>,
        slices: UnsafeMutablePointer<apus_attention_slice>
    ) {
        for index in 0..<pieceCount {
            let piece = pieces[index]
            var pages = kept + (piece.slot * layerCount + layer) * pageCount * pageByteCount
            if piece.filledIndex >= 0 {
                let target = filled + piece.filledIndex * pageCount * pageByteCount
                let heldPageCount = (piece.heldCount + Self.length - 1) / Self.length
                target.copyMemory(from: pages, byteCount: heldPageCount * pageByteCount)
                pages = target
            }
            for row in 0..<piece.rowCount {
                rows[piece.firstRow + row] = pages + (piece.heldCount + row) / Self.length * pageByteCount
            }
            slices[index].pages = UnsafeRawPointer(pages)
        }
    }

    /// Quantizes what the step has filled into its blocks of a layer.
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
        compute.pool.run(kernel, arguments, count: filledCount * pageCount * shape.headCount, split: .claims(grain: 1))
    }
}
