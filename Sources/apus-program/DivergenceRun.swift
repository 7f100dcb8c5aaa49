import Apus
import ApusCore
import ApusEval

/// A comparison of two models on a text, with progress on standard error.
struct DivergenceRun {
    let path: String
    let options: ModelOptions
    let referencePath: String
    let referenceOptions: ModelOptions
    /// Tokens of a chunk.
    let contextLength: Int
    /// How many chunks to compare; nil compares all.
    let chunks: Int?

    /// What was found, and the tokenizer that both models have.
    func result(on text: [UInt8], worstCount: Int) throws -> (result: DivergenceResult, tokenizer: Tokenizer) {
        let (model, reference) = try load()
        var measure = try Divergence(model, reference: reference, text: text, contextLength: contextLength)
        var result = DivergenceResult(worstCount: worstCount)
        let count = min(chunks ?? measure.chunkCount, measure.chunkCount)
        defer { Terminal.showProgress() }
        for chunk in 0..<count {
            try Task.checkCancellation()
            measure.compare(chunk: chunk, into: &result)
            guard result.isFinite else {
                throw ApusError(
                    .malformedFile,
                    "\(path), compared with \(referencePath): chunk \(chunk + 1): expected logits that are finite numbers, "
                        + "found others: check both with apus eval perplexity"
                )
            }
            let mean = JSONRounding.millionths(result.divergence.value)
            Terminal.showProgress("chunk \(chunk + 1) of \(count): mean KL \(mean)")
        }
        return (result, model.model.tokenizer)
    }

    /// Both sides; weights that are the same are loaded once.
    private func load() throws -> (Divergence.Side, Divergence.Side) {
        let model = try LoadedModel(path: path, options: options)
        let side = Divergence.Side(model, kvType: options.kvType)
        if path == referencePath, options.quantization == referenceOptions.quantization {
            return (side, Divergence.Side(model, kvType: referenceOptions.kvType))
        }
        var rest = referenceOptions
        rest.memoryLimit = rest.effectiveMemoryLimit - model.plan.total
        return (side, Divergence.Side(try LoadedModel(path: referencePath, options: rest), kvType: rest.kvType))
    }
}
