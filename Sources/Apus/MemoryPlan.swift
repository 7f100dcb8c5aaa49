import ApusCore
package import ApusEngine
package import ApusNN
import ApusTensor

/// Where a model's memory goes: stated before it is loaded, kept to afterwards.
public struct MemoryPlan: Sendable {
    /// Bytes of the weights, packed.
    public let weights: Int
    /// Bytes of keys and values for `kvPositionCount` positions.
    public let keyValues: Int
    /// Bytes of activations, logits, the threads' scratch, and what the program itself takes.
    public let buffers: Int
    /// Bytes that may be used.
    public let limit: Int
    /// The most tokens of one request.
    public let contextLength: Int
    /// Positions the KV cache holds over all requests.
    public let kvPositionCount: Int

    /// Bytes for the program, its vocabulary and requests, of which 32 streams on a small model took less than 10 MB.
    private static let programByteCount = 40_000_000

    /// All bytes of the plan.
    public var total: Int { weights + keyValues + buffers }

    /// The parts, for people.
    package var parts: [(name: String, text: String)] {
        [
            ("weights", ByteCount.text(weights)),
            ("KV cache", "\(ByteCount.text(keyValues)) for \(kvPositionCount) positions"),
            ("buffers", ByteCount.text(buffers)),
        ]
    }

    /// The parts on one line.
    package var partsText: String { parts.map { "\($0.name) \($0.text)" }.joined(separator: ", ") }

    package let sizes: ModelRunner.Sizes

    /// Plans a model.
    ///
    /// A context nobody asked for is what the model was trained for, or as much of it as fits.
    /// - Throws: `ApusError`: `outOfMemory` with the numbers if the plan does not fit, `invalidArgument` if the context
    ///   asked for is longer than the model's.
    package init(path: String, shape: DecoderShape, weights: Int, threadCount: Int, options: ModelOptions) throws {
        let limit = options.effectiveMemoryLimit
        if let asked = options.contextLength, !(2...shape.contextLength).contains(asked) {
            throw ApusError(
                .invalidArgument,
                "\(path): context: expected 2 to \(shape.contextLength), what the model was trained for, found \(asked)"
            )
        }
        func bytes(_ sizes: ModelRunner.Sizes) -> (keyValues: Int, buffers: Int) {
            let counts = ModelRunner.byteCounts(shape: shape, sizes: sizes)
            return (
                counts.keyValues,
                counts.activations + threadCount * Compute.scratchByteCount + Self.programByteCount
            )
        }
        let chosen = Self.sizes(longestContext: shape.contextLength, options) { sizes in
            let needed = bytes(sizes)
            return weights + needed.keyValues + needed.buffers <= limit
        }
        let needed = bytes(chosen)
        self.weights = weights
        keyValues = needed.keyValues
        buffers = needed.buffers
        self.limit = limit
        contextLength = chosen.contextLength
        kvPositionCount = chosen.kvPositionCount
        self.sizes = chosen
        guard total <= limit else {
            throw ApusError(
                .outOfMemory,
                "\(path): the model needs \(ByteCount.text(total)): \(partsText); "
                    + "the limit is \(ByteCount.text(limit)): lower --context, use --kv q8_0 or kivi4, or raise --memory"
            )
        }
    }

    /// The sizes asked for; where they don't fit, fewer requests at once, then, if nobody asked for it, a shorter context.
    private static func sizes(
        longestContext: Int,
        _ options: ModelOptions,
        fit: (ModelRunner.Sizes) -> Bool
    ) -> ModelRunner.Sizes {
        var context = options.contextLength ?? longestContext
        var contextCount = max(1, options.contextCount)
        while true {
            let (positions, overflow) = context.multipliedReportingOverflow(by: contextCount)
            let sizes = ModelRunner.Sizes(
                kvPositionCount: options.kvPositionCount ?? (overflow ? .max / 2 : positions),
                contextLength: context,
                maximumRowCount: options.chunkLength ?? 512,
                kvType: options.kvType,
                sequenceCount: contextCount,
                maximumSequenceCount: options.maximumSequenceCount
            )
            if options.kvPositionCount != nil || fit(sizes) { return sizes }
            if contextCount > 1 {
                contextCount /= 2
            } else if options.contextLength == nil, context > 2048 {
                context /= 2
            } else {
                return sizes
            }
        }
    }
}
