/// Adds a number to the logits of chosen tokens; negative infinity forbids a token.
package struct LogitBias: LogitsProcessor {
    private let tokens: [Int32]
    private let biases: [Float]

    /// Creates the processor for a bias per token id.
    package init(_ bias: [Int32: Float]) {
        let sorted = bias.sorted { $0.key < $1.key }
        tokens = sorted.map(\.key)
        biases = sorted.map(\.value)
    }

    package var changesGreedyPick: Bool { true }

    package func process(_ logits: inout MutableSpan<Float>) {
        for index in tokens.indices {
            logits[Int(tokens[index])] += biases[index]
        }
    }
}
