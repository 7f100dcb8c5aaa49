package import ApusTensor

/// Grouped-query self-attention (Ainslie et al., "GQA", 2023) over a KV store.
///
/// What families do differently is a value here: biases (inside the projections), norms of queries and keys, the
/// rotary table, the window, a norm behind the output projection.
package struct Attention {
    /// Head counts and how scores are scaled.
    package struct Geometry {
        let queryHeadCount: Int
        let keyValueHeadCount: Int
        let headDimension: Int
        let scale: Float

        package init(queryHeadCount: Int, keyValueHeadCount: Int, headDimension: Int, scale: Float? = nil) {
            self.queryHeadCount = queryHeadCount
            self.keyValueHeadCount = keyValueHeadCount
            self.headDimension = headDimension
            self.scale = scale ?? 1 / Float(headDimension).squareRoot()
        }

        package var queryWidth: Int { queryHeadCount * headDimension }
        package var keyValueWidth: Int { keyValueHeadCount * headDimension }
        package var projectionWidth: Int { queryWidth + 2 * keyValueWidth }
    }

    private let layer: Int
    private let geometry: Geometry
    private let projections: FusedLinear
    private let queryNorm: RMSNorm?
    private let keyNorm: RMSNorm?
    private let rotaryTable: Int
    private let rotaryStyle: RotaryStyle
    private let window: Int
    private let output: OutputProjection

    /// Creates the attention of one layer.
    /// - Parameters:
    ///   - projections: q, k and v, side by side.
    ///   - rotaryTable: which of the step's rotary tables this layer uses.
    ///   - window: 0, or how many of the last positions a row sees.
    package init(
        layer: Int,
        geometry: Geometry,
        projections: FusedLinear,
        queryNorm: RMSNorm? = nil,
        keyNorm: RMSNorm? = nil,
        rotaryTable: Int = 0,
        rotaryStyle: RotaryStyle,
        window: Int = 0,
        output: OutputProjection
    ) {
        precondition(projections.outputWidth == geometry.projectionWidth)
        self.layer = layer
        self.geometry = geometry
        self.projections = projections
        self.queryNorm = queryNorm
        self.keyNorm = keyNorm
        self.rotaryTable = rotaryTable
        self.rotaryStyle = rotaryStyle
        self.window = window
        self.output = output
    }

    /// The layer's matrices.
    package var matrices: [PackedMatrix] { inputMatrices + outputMatrices }

    /// q, k and v.
    package var inputMatrices: [PackedMatrix] { projections.matrices }

    /// The matrices behind the attended values.
    package var outputMatrices: [PackedMatrix] { output.matrices }

    /// Projects the step's rows; stores their keys and values and leaves their queries in the step.
    package func project(_ input: MatmulInput, _ step: StepContext) {
        let qkv = step.projections.columns(0..<geometry.projectionWidth)
        projections(input, into: qkv, step)
        let query = qkv.columns(0..<geometry.queryWidth)
        let keys = qkv.columns(geometry.queryWidth..<geometry.queryWidth + geometry.keyValueWidth)
        let values = qkv.columns(geometry.queryWidth + geometry.keyValueWidth..<geometry.projectionWidth)
        queryNorm?.heads(query, step)
        keyNorm?.heads(keys, step)
        step.compute.rotate(
            qkv.columns(0..<geometry.queryWidth + geometry.keyValueWidth),
            headDimension: geometry.headDimension,
            table: step.rotaryTables[rotaryTable],
            style: rotaryStyle
        )
        step.storage.append(keys: keys, values: values, layer: layer)
    }

    /// hidden += attention of the projected queries.
    package func attend(addingTo hidden: FloatRows, _ step: StepContext) {
        let query = step.projections.columns(0..<geometry.queryWidth)
        let attended = step.attended.columns(0..<geometry.queryWidth)
        step.storage.attend(query: query, output: attended, layer: layer, scale: geometry.scale, window: window)
        output(MatmulInput(attended), addingTo: hidden, step)
    }
}

/// The last matrix of a branch, with the norm some families put behind it, added to the residual stream.
package struct OutputProjection {
    private let linear: FusedLinear
    private let postNorm: RMSNorm?

    package init(_ linear: FusedLinear, postNorm: RMSNorm? = nil) {
        self.linear = linear
        self.postNorm = postNorm
    }

    /// The projection's matrix.
    package var matrices: [PackedMatrix] { linear.matrices }

    package func callAsFunction(_ input: MatmulInput, addingTo hidden: FloatRows, _ step: StepContext) {
        guard let postNorm else {
            linear(input, into: hidden, accumulates: true, step)
            return
        }
        let branch = step.normalized.columns(0..<linear.outputWidth)
        linear(input, into: branch, step)
        postNorm(branch, into: hidden, accumulates: true, step)
    }
}
