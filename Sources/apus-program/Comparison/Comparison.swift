import Apus
import ApusCore
import ApusEval

/// What `apus eval compare` found.
struct Comparison {
    /// A variant, the reference first.
    struct Entry {
        let variant: Variant
        /// Bytes of the model's files.
        var fileByteCount = 0
        /// Bytes of its weights in memory.
        var weightByteCount = 0
        /// Bytes of keys and values that a token of context takes.
        var keyValueByteCount = 0
        var prefillRates: [Double] = []
        var decodeRates: [Double] = []
        /// How far it is from the reference; nil for the reference itself.
        var loss: DivergenceResult?

        init(_ variant: Variant) { self.variant = variant }
    }

    /// The text that quality was measured on.
    struct Text {
        let name: String
        let contentHash: String
        let contextLength: Int
    }

    let text: Text
    let work: SpeedBenchmark.Work
    let tier: String
    let threadCount: Int
    /// What was typed.
    let command: String
    let entries: [Entry]

    /// The perplexity of an entry: the reference's was measured beside each of the others'.
    func perplexity(of entry: Entry) -> Double {
        entry.loss?.perplexity ?? entries.compactMap(\.loss).first?.referencePerplexity ?? .nan
    }

    /// How many predictions quality was measured on.
    var predictionCount: Int { entries.compactMap(\.loss).first?.tokenCount ?? 0 }
}
