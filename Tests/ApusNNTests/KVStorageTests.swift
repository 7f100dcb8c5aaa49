import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// Bytes of blocks, and attention over stored keys and values against the textbook in double.
@Suite struct KVStorageTests {
    /// Root mean squares of the differences of outputs between -1 and 1.
    ///
    /// Keys and values keep 11 bits as half floats, 7 as bytes, 4 or 2; what four and two make of each number is for
    /// `tools/kernels/check`.
    static func bound(_ type: KVType) -> Float {
        switch type {
        case .f16: 2e-4
        case .q8_0: 4e-3
        case .kivi4, .kivi4Residual64, .kivi4Residual128: 0.05
        case .kivi2, .kivi2Residual64, .kivi2Residual128: 0.25
        }
    }

    /// Two bits cost three with their groups' scales and minima, four cost five.
    @Test func aBlockHasTheBytesOfItsBits() {
        let shape = KVShape(layerCount: 3, headCount: 2, headDimension: 64)
        let numbers = 2 * 64 * 64 * 2 * 3
        #expect(shape.blockByteCount(.f16) == numbers * 2)
        #expect(shape.blockByteCount(.q8_0) == numbers * 17 / 16)
        #expect(shape.blockByteCount(.kivi4) == numbers * 5 / 8)
        #expect(shape.blockByteCount(.kivi2) == numbers * 3 / 8)
        #expect(shape.blockByteCount(.kivi2Residual64) == numbers * 3 / 8)
        // A block ends where all is quantized.
        #expect(shape.blockByteCount(.kivi2Residual128) == 2 * numbers * 3 / 8)
    }

    /// As many half floats of a sequence as its type says, and as a step has to hold until they are quantized.
    @Test(arguments: KVType.allCases) func pagesHaveTheBytesOfExactPositions(type: KVType) {
        let shape = KVShape(layerCount: 3, headCount: 2, headDimension: 64)
        let position = 2 * 2 * 64 * 2
        func bytes(_ sequences: Int) -> Int {
            shape.pageByteCount(type, sequenceCapacity: sequences, rowCapacity: 512)
        }
        // All layers of the sequence's own, one of the step's, and where these go.
        let more = 64 * type.residualLength * position * 4
        #expect(bytes(65) - bytes(1) >= more)
        #expect(bytes(65) - bytes(1) <= more + more / 64)
    }

    /// Sequences that begin alike name more blocks together than there are.
    @Test func sequencesMayShareMostBlocks() throws {
        let storage = try BlockKVStorage(
            shape: KVShape(layerCount: 1, headCount: 1, headDimension: 8),
            type: .f16,
            blockCount: 20 + 32,
            rowCapacity: 32,
            sequenceCapacity: 32,
            queryHeadCount: 1,
            compute: Compute(threadCount: 1)
        )
        var plan = StepPlan(rowCapacity: 32, sliceCapacity: 32, blockCapacity: 32 * 21)
        for sequence in 0..<32 {
            let blocks = Array(0..<20) + [Int32(20 + sequence)]
            plan.append(tokens: [0], position: 20 * 64, logitsCount: 1, blocks: blocks, slot: sequence)
        }
        storage.beginStep(plan)
        #expect(plan.blocks.count > storage.blockCount + 32)
    }

    @Test(arguments: KernelTier.available, KVType.allCases)
    func attentionIsThatOfTheFormula(tier: KernelTier, type: KVType) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        for (heads, kvHeads, dimension, window) in [(4, 2, 64, 0), (3, 3, 8, 5), (8, 1, 128, 70), (2, 1, 256, 0)] {
            let shape = KVShape(layerCount: 2, headCount: kvHeads, headDimension: dimension)
            let (length, blockCount) = (300, 6)
            let storage = try BlockKVStorage(
                shape: shape,
                type: type,
                blockCount: blockCount,
                rowCapacity: 256,
                sequenceCapacity: 1,
                queryHeadCount: heads,
                compute: compute
            )
            let reference = FloatKVStorage(shape: shape, blockCount: blockCount)
            let arena = try Arena(name: "test", byteCount: 16 << 20)
            var random = SmallRandom(seed: 5)
            func rows(_ count: Int, _ width: Int) -> FloatRows {
                let rows = arena.allocateRows(count, width: width)
                for row in 0..<count {
                    rows.withRow(row) { span in for index in span.indices { span[index] = random.float() } }
                }
                return rows
            }
            for first in stride(from: 0, to: length, by: 150) {
                var plan = StepPlan(rowCapacity: 150, sliceCapacity: 1, blockCapacity: blockCount)
                let tokens = [Int32](repeating: 0, count: 150)
                plan.append(tokens: tokens[...], position: first, logitsCount: 0, blocks: [3, 0, 5, 1, 4, 2])
                let (keys, values) = (rows(150, kvHeads * dimension), rows(150, kvHeads * dimension))
                let query = rows(150, heads * dimension)
                let (found, expected) = (rows(150, heads * dimension), rows(150, heads * dimension))
                for (store, output) in [(storage, found), (reference, expected)] as [(any KVStorage, FloatRows)] {
                    store.beginStep(plan)
                    for layer in 0..<2 { store.append(keys: keys, values: values, layer: layer) }
                    store.attend(query: query, output: output, layer: 1, scale: 0.5, window: window)
                }
                let squares = (0..<150).map { row in
                    zip(found.row(row), expected.row(row)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                }
                let difference = (squares.reduce(0, +) / Float(150 * heads * dimension)).squareRoot()
                #expect(difference <= Self.bound(type), "dimension \(dimension)")
            }
        }
    }
}
