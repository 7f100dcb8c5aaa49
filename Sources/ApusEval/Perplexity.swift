package import Apus
import ApusEngine
import ApusNN

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Perplexity by llama.cpp's protocol: the text is cut into chunks of the context's length, each starts afresh (with
/// BOS where the vocabulary wants it), and the second half of each is scored.
package struct Perplexity {
    /// What was found so far.
    package struct Result: Sendable, Equatable {
        package var tokenCount = 0
        fileprivate var sum = 0.0
        fileprivate var squares = 0.0

        /// Nothing scored yet.
        package init() {}

        /// e to the mean negative log likelihood.
        package var perplexity: Double { exp(sum / Double(tokenCount)) }
        /// The standard error of `perplexity`.
        package var standardError: Double {
            guard tokenCount > 1 else { return 0 }
            let mean = sum / Double(tokenCount)
            let variance = squares / Double(tokenCount) - mean * mean
            return variance > 0 ? (variance / Double(tokenCount - 1)).squareRoot() * perplexity : 0
        }

        fileprivate mutating func add(_ negativeLogLikelihood: Double) {
            tokenCount += 1
            sum += negativeLogLikelihood
            squares += negativeLogLikelihood * negativeLogLikelihood
        }
    }

    /// Rows of a step; all of the second half's want logits.
    private static let rowCount = 64
    private let runner: ModelRunner
    private let tokens: [Int32]
    private let bos: Int32?
    private let contextLength: Int
    private var plan: StepPlan
    private let blocks: [Int32]

    /// How many whole chunks the text has.
    package var chunkCount: Int { tokens.count / contextLength }

    /// Prepares the measurement of a text.
    /// - Parameters:
    ///   - model: the model; its runner is made here.
    ///   - text: the text as bytes.
    ///   - contextLength: tokens of a chunk.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk.
    package init(_ model: LoadedModel, text: [UInt8], contextLength: Int, kvType: KVType) throws {
        guard contextLength >= 8, contextLength <= model.model.shape.contextLength else {
            throw ApusError(
                .invalidArgument,
                "context: expected 8 to \(model.model.shape.contextLength), found \(contextLength)"
            )
        }
        tokens = model.tokenizer.encode(text, parseSpecial: false, addSpecial: true)
        guard tokens.count >= contextLength else {
            throw ApusError(
                .invalidArgument,
                "the text has \(tokens.count) tokens, fewer than one chunk of \(contextLength)"
            )
        }
        bos = model.tokenizer.addsBOS ? model.tokenizer.bos : nil
        self.contextLength = contextLength
        runner = try ModelRunner(
            model: model.model,
            sizes: ModelRunner.Sizes(
                kvPositionCount: contextLength,
                contextLength: contextLength,
                maximumRowCount: Self.rowCount,
                maximumLogitsRowCount: Self.rowCount,
                kvType: kvType
            ),
            compute: model.compute
        )
        plan = StepPlan(rowCapacity: Self.rowCount, sliceCapacity: 1, blockCapacity: runner.blockCount)
        blocks = (0..<Int32(runner.blockCount)).map { $0 }
    }

    /// Scores one chunk.
    /// - Parameter observe: gets the logits of each scored position, in order.
    package mutating func score(chunk: Int, into result: inout Result, observe: (Span<Float>) -> Void = { _ in }) {
        var chunkTokens = Array(tokens[chunk * contextLength..<(chunk + 1) * contextLength])
        if let bos { chunkTokens[0] = bos }
        let firstScored = contextLength / 2
        var position = 0
        while position < contextLength - 1 {
            // Steps end at the first scored row, so that a step's rows are all scored or all not.
            let end = position < firstScored ? firstScored : contextLength - 1
            let count = min(Self.rowCount, end - position)
            plan.removeAll()
            plan.append(
                tokens: chunkTokens[position..<position + count],
                position: position,
                logitsCount: position >= firstScored ? count : 0,
                blocks: blocks
            )
            runner.run(plan)
            if position >= firstScored {
                for row in 0..<count {
                    let next = Int(chunkTokens[position + row + 1])
                    runner.withLogits(row: row) {
                        result.add(Self.negativeLogLikelihood(of: next, $0.span))
                        observe($0.span)
                    }
                }
            }
            position += count
        }
    }

    private static func negativeLogLikelihood(of token: Int, _ logits: Span<Float>) -> Double {
        var largest = -Float.infinity
        for index in logits.indices { largest = max(largest, logits[index]) }
        var sum = 0.0
        for index in logits.indices { sum += exp(Double(logits[index] - largest)) }
        return log(sum) - Double(logits[token] - largest)
    }
}
