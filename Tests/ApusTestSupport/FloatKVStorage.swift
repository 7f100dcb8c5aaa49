package import ApusNN
package import ApusTensor

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Keys and values as floats, attended by the textbook in double: a reference for stores that round them.
package final class FloatKVStorage: KVStorage {
    package let blockLength = KVType.f16.blockLength
    package let blockCount: Int
    private let shape: KVShape
    private var keys: [[Float]]
    private var values: [[Float]]
    /// Of each of the step's rows its position and its sequence's blocks.
    private var rows: [(position: Int, blocks: [Int32])] = []

    package init(shape: KVShape, blockCount: Int) {
        self.shape = shape
        self.blockCount = blockCount
        let layer = [Float](
            repeating: 0,
            count: blockCount * KVType.f16.blockLength * shape.headCount * shape.headDimension
        )
        keys = Array(repeating: layer, count: shape.layerCount)
        values = keys
    }

    package func beginStep(_ plan: borrowing StepPlan) {
        rows.removeAll()
        for slice in plan.slices {
            let blocks = Array(plan.blocks[slice.blocks])
            for offset in 0..<slice.rows.count { rows.append((slice.position + offset, blocks)) }
        }
    }

    package func narrowToWantedRows(_ plan: borrowing StepPlan) {
        let all = rows
        rows = plan.slices.flatMap { all[($0.rows.upperBound - $0.logitsCount)..<$0.rows.upperBound] }
    }

    package func append(keys: FloatRows, values: FloatRows, layer: Int) {
        for (index, row) in rows.enumerated() {
            let place = start(row.position, row.blocks)
            self.keys[layer].replaceSubrange(place..<place + keys.width, with: keys.row(index))
            self.values[layer].replaceSubrange(place..<place + values.width, with: values.row(index))
        }
    }

    package func attend(query: FloatRows, output: FloatRows, layer: Int, scale: Float, window: Int) {
        let dimension = shape.headDimension
        let group = query.width / dimension / shape.headCount
        for (index, row) in rows.enumerated() {
            let query = query.row(index)
            let first = window > 0 ? max(0, row.position - window + 1) : 0
            let places = (first...row.position).map { start($0, row.blocks) }
            var result: [Float] = []
            for head in 0..<shape.headCount * group {
                let offset = head / group * dimension
                result += attended(query[head * dimension..<(head + 1) * dimension], places, offset, layer, scale)
            }
            output.withRow(index) { span in for column in span.indices { span[column] = result[column] } }
        }
    }

    /// softmax(scale q k) v for one head of one row.
    private func attended(_ query: ArraySlice<Float>, _ places: [Int], _ offset: Int, _ layer: Int, _ scale: Float)
        -> [Float]
    {
        func vector(_ all: [[Float]], _ place: Int) -> ArraySlice<Float> {
            all[layer][place + offset..<place + offset + shape.headDimension]
        }
        let scores = places.map { place in
            zip(query, vector(keys, place)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * Double(scale)
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        var result = [Double](repeating: 0, count: shape.headDimension)
        for (place, weight) in zip(places, weights) {
            for (index, value) in vector(values, place).enumerated() { result[index] += weight / total * Double(value) }
        }
        return result.map { Float($0) }
    }

    private func start(_ position: Int, _ blocks: [Int32]) -> Int {
        let block = Int(blocks[position / blockLength])
        return (block * blockLength + position % blockLength) * shape.headCount * shape.headDimension
    }
}
