package import Apus
package import ApusTensor

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Perplexity by llama.cpp's protocol; see `ScoredText`.
package struct Perplexity {
    /// What was found so far.
    package struct Result: Sendable {
        private var surprise = Mean()

        /// Nothing scored yet.
        package init() {}

        /// Predictions scored.
        package var tokenCount: Int { surprise.count }
        /// e to the mean negative log likelihood.
        package var perplexity: Double { exp(surprise.value) }
        /// The standard error of `perplexity`.
        package var standardError: Double { surprise.standardError * perplexity }

        fileprivate mutating func add(_ negativeLogLikelihood: Double) { surprise.add(negativeLogLikelihood) }
    }

    private let text: ScoredText
    private var reader: ChunkReader

    /// How many whole chunks the text has.
    package var chunkCount: Int { text.chunkCount }

    /// Prepares the measurement of a text.
    /// - Parameters:
    ///   - model: the model; its runner is made here.
    ///   - text: the text as bytes.
    ///   - contextLength: tokens of a chunk.
    ///   - kvType: how keys and values are stored.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk.
    package init(_ model: LoadedModel, text: [UInt8], contextLength: Int, kvType: KVType) throws {
        self.text = try ScoredText(text, for: model, contextLength: contextLength)
        reader = try ChunkReader(model, contextLength: contextLength, kvType: kvType)
    }

    /// Scores one chunk.
    /// - Parameter observe: gets the logits of each scored position, in order.
    package mutating func score(chunk: Int, into result: inout Result, observe: (Span<Float>) -> Void = { _ in }) {
        let tokens = text.chunk(chunk)
        for (positions, isScored) in text.steps {
            reader.run(tokens, positions: positions, wantsLogits: isScored)
            guard isScored else { continue }
            for position in positions {
                reader.withLogits(row: position - positions.lowerBound) { logits in
                    result.add(-LogSoftmax(logits)(logits[Int(tokens[position + 1])]))
                    observe(logits)
                }
            }
        }
    }
}
