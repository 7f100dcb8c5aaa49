/// A model whose layers can be run one half at a time, by methods that change weights in between.
///
/// `embed`, then both halves of every layer in order, is `forwardHidden` up to the last norm.
package protocol LayerwiseModel: LanguageModel {
    /// The layers, in order.
    var layers: [DecoderBlock] { get }

    /// Puts the embeddings of the step's tokens into `step.hidden`.
    func embed(_ step: StepContext)
}

/// What a layer adds to the residual stream, in order.
package enum LayerHalf: CaseIterable, Sendable {
    case attention
    case feedForward
}
