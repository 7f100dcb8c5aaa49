import ApusCore
public import ApusEngine
import ApusTokenizers

/// A text as it is generated: pieces that never split a character, the last of which carries the summary.
///
/// Iterate once. Ending the iteration, or cancelling the task, ends the generation at the next step.
public struct TextGeneration: AsyncSequence, Sendable {
    /// A piece of text.
    public struct Piece: Sendable, CustomStringConvertible {
        /// The text, possibly empty.
        public let text: String
        /// The tokens since the last piece.
        public let tokens: [Int32]
        /// Their log probabilities, if asked for.
        public let logprobs: [TokenLogprobs]
        /// How the generation ended; only the last piece has it.
        public let summary: Summary?

        /// The text.
        public var description: String { text }
    }

    /// How a generation ended.
    public struct Summary: Sendable {
        /// Why it ended.
        public let reason: FinishReason
        /// The stop string that ended it, if one did.
        public let stopString: String?
        /// Tokens of the prompt.
        public let promptTokenCount: Int
        /// Tokens of the prompt that an earlier request had computed.
        public let cachedTokenCount: Int
        /// Tokens generated.
        public let generatedTokenCount: Int
        /// Where the time went; nil when a stop string ended the text before the engine did.
        public let timings: GenerationTimings?
    }

    let events: Engine.Events
    let tokenizer: Tokenizer
    let stop: [String]
    let matcher: StopStringMatcher
    let promptTokenCount: Int
    /// The model's path, for messages.
    let path: String

    /// Creates the iterator.
    public func makeAsyncIterator() -> Iterator {
        Iterator(
            events: events.makeAsyncIterator(),
            detokenizer: StreamingDetokenizer(tokenizer, continuesText: true),
            stop: stop,
            matcher: matcher,
            promptTokenCount: promptTokenCount,
            path: path
        )
    }

    /// Iterates over pieces.
    public struct Iterator: AsyncIteratorProtocol {
        var events: Engine.Events.AsyncIterator?
        var detokenizer: StreamingDetokenizer
        let stop: [String]
        var matcher: StopStringMatcher
        let promptTokenCount: Int
        let path: String
        private var generatedTokenCount = 0
        private var cachedTokenCount = 0

        init(
            events: Engine.Events.AsyncIterator,
            detokenizer: StreamingDetokenizer,
            stop: [String],
            matcher: StopStringMatcher,
            promptTokenCount: Int,
            path: String
        ) {
            self.events = events
            self.detokenizer = detokenizer
            self.stop = stop
            self.matcher = matcher
            self.promptTokenCount = promptTokenCount
            self.path = path
        }

        /// The next piece; nil after the last.
        /// - Throws: `ApusError` if the model's output is not a number.
        public mutating func next() async throws -> Piece? {
            guard let event = try await nextEvent() else {
                events = nil
                return nil
            }
            switch event {
            case .started(let count):
                cachedTokenCount = count
                return try await next()
            case .token(let id, let logprobs): return piece(of: id, logprobs)
            case .finished(let summary):
                // What went wrong follows the summary.
                if summary.reason == .error { _ = try await nextEvent() }
                return last(summary)
            }
        }

        private mutating func nextEvent() async throws -> GenerationEvent? {
            do {
                return try await events?.next()
            } catch let error as ApusError where error.code == .malformedFile {
                // The engine knows of no files.
                throw ApusError(error.code, "\(path): \(error.message)", cause: error.cause)
            }
        }

        private mutating func piece(of id: Int32, _ logprobs: TokenLogprobs?) -> Piece {
            generatedTokenCount += 1
            let output = matcher.append(detokenizer.append(id).utf8)
            var ended: Summary?
            if let index = output.stopIndex {
                // Letting go of the events cancels the rest of the generation.
                events = nil
                ended = Summary(
                    reason: .stop,
                    stopString: stop[index],
                    promptTokenCount: promptTokenCount,
                    cachedTokenCount: cachedTokenCount,
                    generatedTokenCount: generatedTokenCount,
                    timings: nil
                )
            }
            return Piece(
                text: String(decoding: output.bytes, as: UTF8.self),
                tokens: [id],
                logprobs: logprobs.map { [$0] } ?? [],
                summary: ended
            )
        }

        private mutating func last(_ summary: GenerationSummary) -> Piece {
            let output = matcher.append(detokenizer.flush().utf8)
            let rest = output.bytes + matcher.flush()
            events = nil
            return Piece(
                text: String(decoding: rest, as: UTF8.self),
                tokens: [],
                logprobs: [],
                summary: Summary(
                    reason: summary.reason,
                    stopString: output.stopIndex.map { stop[$0] },
                    promptTokenCount: summary.promptTokenCount,
                    cachedTokenCount: summary.cachedTokenCount,
                    generatedTokenCount: summary.generatedTokenCount,
                    timings: summary.timings
                )
            )
        }
    }
}

extension TextGeneration {
    /// Waits for the whole text.
    public func text() async throws -> String {
        var text = ""
        for try await piece in self { text += piece.text }
        return text
    }
}
