import ApusCore
public import ApusTensor

/// A model the engine can run: tokens and KV in, logits out.
public protocol LanguageModel: AnyObject, Sendable {
    /// The sizes everything around the model is planned from.
    var shape: DecoderShape { get }

    /// What a token costs, for benchmarks' shares of the machine's limits.
    var cost: DecoderCost { get }

    /// Computes a step up to the final norm: leaves the wanted rows' hidden states in `step.wanted`.
    func forwardHidden(_ step: StepContext)

    /// Turns the wanted rows' hidden states into `step.logits`.
    func forwardOutput(_ step: StepContext)
}

/// The sizes of a decoder-only transformer.
public struct DecoderShape: Sendable {
    /// Tokens in the vocabulary: the width of logits.
    public let vocabularySize: Int
    /// Width of the residual stream.
    public let hiddenSize: Int
    /// Positions the model was trained for.
    public let contextLength: Int
    /// Keys and values per layer.
    public let keyValues: KVShape
    /// Query heads per layer.
    public let queryHeadCount: Int
    /// Width of the feed-forward layer.
    public let feedForwardSize: Int
    /// Element types of the matrices, for the panels they need.
    package let inputs: MatrixInputs
    package let rotary: [RotaryEmbedding]

    package init(
        vocabularySize: Int,
        hiddenSize: Int,
        contextLength: Int,
        keyValues: KVShape,
        queryHeadCount: Int,
        feedForwardSize: Int,
        inputs: MatrixInputs,
        rotary: [RotaryEmbedding]
    ) {
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.contextLength = contextLength
        self.keyValues = keyValues
        self.queryHeadCount = queryHeadCount
        self.feedForwardSize = feedForwardSize
        self.inputs = inputs
        self.rotary = rotary
    }
}

/// What one row costs in the linear layers.
public struct DecoderCost: Sendable {
    /// Bytes of packed matrices that a step of one row reads, the output matrix included.
    public internal(set) var weightByteCount = 0
    /// Multiply-adds of one row in all blocks.
    public internal(set) var blockMultiplyAdds = 0
    /// Of these, the ones only rows with wanted logits need: the last block behind its keys and values.
    public internal(set) var wantedMultiplyAdds = 0
    /// Multiply-adds of one row in the output matrix.
    public internal(set) var outputMultiplyAdds = 0
    /// Whether most multiply-adds are on 8-bit codes.
    public internal(set) var isQuantized = false
}

/// One transformer layer, pre-norm.
package struct DecoderBlock {
    private let attentionNorm: RMSNorm
    private let attention: Attention
    private let mlpNorm: RMSNorm
    private let mlp: GatedMLP

    package init(attentionNorm: RMSNorm, attention: Attention, mlpNorm: RMSNorm, mlp: GatedMLP) {
        self.attentionNorm = attentionNorm
        self.attention = attention
        self.mlpNorm = mlpNorm
        self.mlp = mlp
    }

    /// The layer's matrices.
    package var matrices: [PackedMatrix] { attention.matrices + mlp.matrices }

    /// The matrices behind the keys and values.
    package var wantedMatrices: [PackedMatrix] { attention.outputMatrices + mlp.matrices }

    /// The matrices of one half, those that read the same rows together, in the order in which they do.
    package func matrices(of half: LayerHalf) -> [[PackedMatrix]] {
        switch half {
        case .attention: [attention.inputMatrices, attention.outputMatrices]
        case .feedForward: [mlp.inputMatrices, mlp.outputMatrices]
        }
    }

    /// Runs the layer over the step's rows.
    /// - Parameter narrows: in the last layer, go on with the wanted rows once keys and values are stored: nobody reads
    ///   the others' results.
    package func callAsFunction(_ step: StepContext, narrows: Bool) {
        project(step)
        if narrows { step.narrowToWantedRows() }
        guard step.hidden.rowCount > 0 else { return }
        attention.attend(addingTo: step.hidden, step)
        run(.feedForward, step)
    }

    /// Runs one half over the step's rows.
    package func run(_ half: LayerHalf, _ step: StepContext) {
        switch half {
        case .attention:
            project(step)
            attention.attend(addingTo: step.hidden, step)
        case .feedForward:
            mlp(mlpNorm.whenRead(step.hidden, into: step.normalized, step), addingTo: step.hidden, step)
        }
    }

    private func project(_ step: StepContext) {
        attention.project(attentionNorm.whenRead(step.hidden, into: step.normalized, step), step)
    }
}

/// A decoder-only transformer (Vaswani et al., 2017; Radford et al., 2018): embedding, blocks, norm, output.
///
/// Families differ in the parts they pass in. It keeps the weights' arena.
package final class Decoder: LayerwiseModel, @unchecked Sendable {
    // Sound to share: nothing changes after loading; a step's buffers are the caller's.
    package let shape: DecoderShape
    private let embedding: EmbeddingTable
    private let embeddingScale: Float?
    package let layers: [DecoderBlock]
    private let norm: RMSNorm
    private let output: FusedLinear
    private let weights: Arena

    package init(
        shape: DecoderShape,
        embedding: EmbeddingTable,
        embeddingScale: Float? = nil,
        layers: [DecoderBlock],
        norm: RMSNorm,
        output: FusedLinear,
        weights: Arena
    ) {
        self.shape = shape
        self.embedding = embedding
        self.embeddingScale = embeddingScale
        self.layers = layers
        self.norm = norm
        self.output = output
        self.weights = weights
    }

    package var cost: DecoderCost {
        var cost = DecoderCost()
        var quantizedMultiplyAdds = 0
        for matrix in layers.flatMap(\.matrices) {
            cost.blockMultiplyAdds += matrix.multiplyAddCount
            cost.weightByteCount += matrix.byteCount
            if matrix.type.isQuantized { quantizedMultiplyAdds += matrix.multiplyAddCount }
        }
        cost.wantedMultiplyAdds = layers.last?.wantedMatrices.reduce(0) { $0 + $1.multiplyAddCount } ?? 0
        for matrix in output.matrices {
            cost.outputMultiplyAdds += matrix.multiplyAddCount
            cost.weightByteCount += matrix.byteCount
        }
        cost.isQuantized = 2 * quantizedMultiplyAdds > cost.blockMultiplyAdds
        return cost
    }

    package func embed(_ step: StepContext) {
        let hidden = step.hidden
        for (row, token) in step.plan.tokens.enumerated() { embedding.decode(Int(token), into: hidden, at: row) }
        if let embeddingScale { step.compute.scale(hidden, by: embeddingScale) }
    }

    package func forwardHidden(_ step: StepContext) {
        embed(step)
        for (index, layer) in layers.enumerated() { layer(step, narrows: index == layers.count - 1) }
        norm(step.hidden, into: step.wanted, step)
    }

    package func forwardOutput(_ step: StepContext) {
        if output.readsQuantizedRows {
            step.project(output)
        } else {
            output(MatmulInput(step.wanted), into: step.logits, step)
        }
    }
}
