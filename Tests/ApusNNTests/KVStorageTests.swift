import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// Attention over stored keys and values against the textbook in double.
@Suite struct KVStorageTests {
    /// Largest differences of an output between -1 and 1: values keep 11 bits as half floats, 7 as bytes.
    static let bounds: [KVType: Float] = [.f16: 2e-3, .q8_0: 3e-2]

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
                let difference = (0..<150).map { row in
                    zip(found.row(row), expected.row(row)).map { abs($0 - $1) }.max() ?? .infinity
                }
                #expect(difference.max() ?? .infinity <= Self.bounds[type] ?? 0, "dimension \(dimension)")
            }
        }
    }
}
