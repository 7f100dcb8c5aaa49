import ApusCore
import ApusNN
import ApusTensor

/// Texts on their way through a model, half a layer at a time: all of them are taken through one half, then the next.
///
/// Each text is one step from position 0 on. Not thread-safe.
final class LayerwiseRun {
    let model: any LayerwiseModel
    private let texts: [[Int32]]
    private let step: StepContext
    private let hidden: FloatRows
    private let arena: Arena
    private let blocks: [Int32]
    private var plan: StepPlan

    /// Embeds the texts.
    /// - Throws: `ApusError` (`outOfMemory`).
    init(_ model: any LayerwiseModel, texts: [[Int32]], compute: Compute) throws {
        self.model = model
        self.texts = texts
        let longest = texts.map(\.count).max() ?? 0
        let blockLength = KVType.f16.blockLength
        let blockCount = (longest + blockLength - 1) / blockLength
        let storage = try BlockKVStorage(
            shape: model.shape.keyValues,
            type: .f16,
            blockCount: blockCount,
            rowCapacity: longest,
            sequenceCapacity: 1,
            queryHeadCount: model.shape.queryHeadCount,
            compute: compute
        )
        step = try StepContext(
            shape: model.shape,
            storage: storage,
            rowCapacity: longest,
            logitsCapacity: 1,
            compute: compute
        )
        let rowCount = texts.reduce(0) { $0 + $1.count }
        let width = model.shape.hiddenSize
        arena = try Arena(name: "hidden states", byteCount: rowCount * width * MemoryLayout<Float>.stride)
        hidden = arena.allocateRows(rowCount, width: width)
        blocks = (0..<Int32(blockCount)).map { $0 }
        plan = StepPlan(rowCapacity: longest, sliceCapacity: 1, blockCapacity: blockCount)
        forEachText { rows in
            model.embed(step)
            copy(step.hidden, to: rows)
        }
    }

    /// Runs half a layer over all texts.
    /// - Parameters:
    ///   - observer: who sees what the matrices read.
    ///   - movesOn: whether the results become what the next half begins with.
    ///   - progress: called with the number of each text before it is read.
    /// - Throws: `CancellationError`.
    func run(
        _ half: LayerHalf,
        layer: Int,
        observer: (any StepObserver)? = nil,
        movesOn: Bool,
        progress: (Int) -> Void
    ) throws {
        step.observer = observer
        defer { step.observer = nil }
        var index = 0
        try forEachText { rows in
            try Task.checkCancellation()
            progress(index)
            index += 1
            copy(rows, to: step.hidden)
            model.layers[layer].run(half, step)
            if movesOn { copy(step.hidden, to: rows) }
        }
    }

    /// Calls `body` within a step over each text, with its hidden states.
    private func forEachText(_ body: (FloatRows) throws -> Void) rethrows {
        var first = 0
        for text in texts {
            plan.removeAll()
            plan.append(tokens: text[...], position: 0, logitsCount: 0, blocks: blocks)
            try step.run(plan) { try body(hidden[first..<first + text.count]) }
            first += text.count
        }
    }

    private func copy(_ source: FloatRows, to target: FloatRows) {
        for row in 0..<source.rowCount { target.copyRow(row, of: source, to: row) }
    }
}
