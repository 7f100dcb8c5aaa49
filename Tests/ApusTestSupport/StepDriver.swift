package import ApusNN
package import ApusTensor

/// Runs sequences of tokens through a model in steps that a test lays out, and gives every row's logits.
package final class StepDriver {
    /// Tokens of one sequence at consecutive positions.
    package struct Piece {
        package let sequence: Int
        package let position: Int
        package let tokens: ArraySlice<Int32>
        package let logitsCount: Int

        /// - Parameter logitsCount: of how many of the last tokens logits are wanted; nil: of all.
        package init(sequence: Int = 0, position: Int = 0, tokens: ArraySlice<Int32>, logitsCount: Int? = nil) {
            self.sequence = sequence
            self.position = position
            self.tokens = tokens
            self.logitsCount = logitsCount ?? tokens.count
        }
    }

    /// Where keys and values are kept.
    package enum Storage: Equatable {
        case blocks(KVType)
        case float
    }

    private let model: any LanguageModel
    private let step: StepContext
    private let blocksPerSequence: Int
    private let sequenceCount: Int

    /// - Parameters:
    ///   - positions: the most positions of a sequence.
    ///   - rows: the most rows of a step.
    package init(
        _ model: any LanguageModel,
        storage: Storage = .blocks(.f16),
        positions: Int = 192,
        rows: Int = 192,
        sequences: Int = 1,
        compute: Compute
    ) throws {
        self.model = model
        sequenceCount = sequences
        let blockLength = if case .blocks(let type) = storage { type.blockLength } else { KVType.f16.blockLength }
        blocksPerSequence = (positions + blockLength - 1) / blockLength
        let blockCount = blocksPerSequence * sequences
        let store: any KVStorage =
            switch storage {
            case .float: FloatKVStorage(shape: model.shape.keyValues, blockCount: blockCount)
            case .blocks(let type):
                try BlockKVStorage(
                    shape: model.shape.keyValues,
                    type: type,
                    blockCount: blockCount,
                    rowCapacity: rows,
                    sequenceCapacity: sequences,
                    queryHeadCount: model.shape.queryHeadCount,
                    compute: compute
                )
            }
        step = try StepContext(
            shape: model.shape,
            storage: store,
            rowCapacity: rows,
            logitsCapacity: rows,
            compute: compute
        )
    }

    /// One step over the pieces: the logits of all rows that are wanted, in order.
    package func logits(_ pieces: [Piece]) -> [[Float]] {
        run(pieces)
        return rows(of: pieces).map { step.logits.row($0) }
    }

    /// One step over the pieces: of all logits that are wanted, in order, the place of the largest and a hash of their bits.
    package func digests(_ pieces: [Piece]) -> [LogitsDigest] {
        run(pieces)
        return rows(of: pieces).map { row in step.logits.withRow(row) { LogitsDigest($0.span) } }
    }

    private func rows(of pieces: [Piece]) -> Range<Int> { 0..<pieces.reduce(0) { $0 + $1.logitsCount } }

    private func run(_ pieces: [Piece]) {
        let rowCount = pieces.reduce(0) { $0 + $1.tokens.count }
        var plan = StepPlan(rowCapacity: rowCount, sliceCapacity: pieces.count, blockCapacity: 0)
        for piece in pieces {
            // Blocks of different sequences alternate, in descending order.
            let blocks = (0..<blocksPerSequence).map { Int32(($0 + 1) * sequenceCount - 1 - piece.sequence) }
            plan.append(
                tokens: piece.tokens,
                position: piece.position,
                logitsCount: piece.logitsCount,
                blocks: blocks,
                slot: piece.sequence
            )
        }
        step.run(model, plan)
    }

    /// A sequence in chunks of at most `chunk` tokens: the logits of all rows.
    package func logits(of tokens: [Int32], chunk: Int = .max, sequence: Int = 0) -> [[Float]] {
        Self.pieces(of: tokens, chunk: chunk, sequence: sequence).flatMap { logits([$0]) }
    }

    /// A sequence in chunks of at most `chunk` tokens: the digests of all rows' logits.
    package func digests(of tokens: [Int32], chunk: Int = .max, sequence: Int = 0) -> [LogitsDigest] {
        Self.pieces(of: tokens, chunk: chunk, sequence: sequence).flatMap { digests([$0]) }
    }

    private static func pieces(of tokens: [Int32], chunk: Int, sequence: Int) -> [Piece] {
        let length = min(chunk, tokens.count)
        return stride(from: 0, to: tokens.count, by: length).map { first in
            Piece(sequence: sequence, position: first, tokens: tokens[first..<min(first + length, tokens.count)])
        }
    }
}

/// What a test keeps of a row of logits.
package struct LogitsDigest: Equatable, Sendable {
    /// The place of the largest, the lowest among equals.
    package let largest: Int32
    /// A hash of all bits (Fowler-Noll-Vo over 32-bit words).
    package let hash: UInt64

    init(_ logits: Span<Float>) {
        var largest = 0
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in logits.indices {
            if logits[index] > logits[largest] { largest = index }
            hash = (hash ^ UInt64(logits[index].bitPattern)) &* 0x100_0000_01B3
        }
        self.largest = Int32(largest)
        self.hash = hash
    }
}
