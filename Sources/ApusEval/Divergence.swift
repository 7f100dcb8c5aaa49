package import Apus
package import ApusTensor

/// How far a model's predictions are from a reference's on the same text: Kullback-Leibler divergence, and whether the
/// most likely tokens are the same.
///
/// The text is cut up as for perplexity; see `ScoredText`. Both models compute a step, then its rows are compared: nothing is stored but four bytes a prediction.
package struct Divergence {
    /// One model and how it runs.
    package struct Side {
        package let model: LoadedModel
        package let kvType: KVType

        package init(_ model: LoadedModel, kvType: KVType) {
            self.model = model
            self.kvType = kvType
        }
    }

    private let text: ScoredText
    private var reference: ChunkReader
    private var model: ChunkReader
    private var row: [Float]

    /// How many whole chunks the text has.
    package var chunkCount: Int { text.chunkCount }

    /// Prepares the comparison.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk, or the models don't read it as the same
    ///   tokens.
    package init(_ side: Side, reference: Side, text: [UInt8], contextLength: Int) throws {
        self.text = try ScoredText(text, for: side.model, contextLength: contextLength)
        let other = try ScoredText(text, for: reference.model, contextLength: contextLength)
        let tokenizers = [side.model.tokenizer, reference.model.tokenizer]
        let (size, expected) = (tokenizers[0].vocabularySize, tokenizers[1].vocabularySize)
        // GGUF files name rows of the embedding that no token has.
        let common = min(size, expected)
        let rest = tokenizers.flatMap { tokenizer in
            (common..<tokenizer.vocabularySize).filter { !tokenizer.isUnused(Int32($0)) }
        }
        guard self.text.isSame(as: other), rest.isEmpty else {
            throw ApusError(
                .invalidArgument,
                "\(side.model.file.path): expected the vocabulary of the reference \(reference.model.file.path) "
                    + "(\(expected) tokens), found another (\(size) tokens): only models with one vocabulary are comparable"
            )
        }
        model = try ChunkReader(side.model, contextLength: contextLength, kvType: side.kvType)
        self.reference = try ChunkReader(reference.model, contextLength: contextLength, kvType: reference.kvType)
        // Either model may have logits of no token behind the vocabulary's.
        row = [Float](repeating: 0, count: common)
    }

    /// Compares one chunk.
    package mutating func compare(chunk: Int, into result: inout DivergenceResult) {
        let tokens = text.chunk(chunk)
        for (positions, isScored) in text.steps {
            reference.run(tokens, positions: positions, wantsLogits: isScored)
            model.run(tokens, positions: positions, wantsLogits: isScored)
            guard isScored else { continue }
            for position in positions {
                let index = position - positions.lowerBound
                reference.withLogits(row: index) { logits in
                    for token in row.indices { row[token] = logits[token] }
                }
                let comparison = model.withLogits(row: index) { logits in
                    PredictionComparison(
                        logits.extracting(first: row.count),
                        reference: row.span,
                        next: Int(tokens[position + 1])
                    )
                }
                let context = Array(tokens[max(0, position - 15)...position])
                result.add(comparison, chunk: chunk, position: position, context: context)
            }
        }
    }
}
