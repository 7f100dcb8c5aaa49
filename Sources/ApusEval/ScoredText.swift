package import Apus
import ApusNN

/// A text cut up as llama.cpp's perplexity cuts it: chunks of the context's length, each of which starts afresh (with
/// BOS where the vocabulary wants it) and has its second half scored.
package struct ScoredText: Sendable {
    /// Tokens of a chunk.
    package let contextLength: Int
    private let tokens: [Int32]
    private let bos: Int32?

    /// Cuts up a text.
    /// - Parameters:
    ///   - text: the text as bytes.
    ///   - model: whose tokenizer and longest context count.
    ///   - contextLength: tokens of a chunk.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk.
    package init(_ text: [UInt8], for model: LoadedModel, contextLength: Int) throws {
        try self.init(
            text,
            tokenizer: model.tokenizer,
            longestContext: model.model.shape.contextLength,
            contextLength: contextLength
        )
    }

    /// Cuts up a text for a model that is not loaded, to find out early that it is too short.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk.
    package init(_ text: [UInt8], for file: ModelFile, contextLength: Int) throws {
        try self.init(
            text,
            tokenizer: file.tokenizer(),
            longestContext: ModelFacts(file).contextLength,
            contextLength: contextLength
        )
    }

    private init(_ text: [UInt8], tokenizer: Tokenizer, longestContext: Int, contextLength: Int) throws {
        guard contextLength >= 8, contextLength <= longestContext else {
            throw ApusError(.invalidArgument, "context: expected 8 to \(longestContext), found \(contextLength)")
        }
        tokens = tokenizer.encode(text, parseSpecial: false, addSpecial: true)
        guard tokens.count >= contextLength else {
            throw ApusError(
                .invalidArgument,
                "the text has \(tokens.count) tokens, fewer than one chunk of \(contextLength)"
            )
        }
        bos = tokenizer.addsBOS ? tokenizer.bos : nil
        self.contextLength = contextLength
    }

    /// How many whole chunks the text has.
    package var chunkCount: Int { tokens.count / contextLength }

    /// Whether another model reads the same tokens in the text.
    func isSame(as other: ScoredText) -> Bool {
        contextLength == other.contextLength && tokens == other.tokens && bos == other.bos
    }

    /// The tokens of a chunk.
    package func chunk(_ index: Int) -> [Int32] {
        var chunk = Array(tokens[index * contextLength..<(index + 1) * contextLength])
        if let bos { chunk[0] = bos }
        return chunk
    }

    /// The steps of a chunk: none has both rows that are scored and rows that are not.
    var steps: [(positions: Range<Int>, isScored: Bool)] {
        let firstScored = contextLength / 2
        let halves = [(0..<firstScored, false), (firstScored..<contextLength - 1, true)]
        return halves.flatMap { half, isScored in
            stride(from: half.lowerBound, to: half.upperBound, by: ChunkReader.rowCount).map {
                ($0..<min($0 + ChunkReader.rowCount, half.upperBound), isScored)
            }
        }
    }
}
