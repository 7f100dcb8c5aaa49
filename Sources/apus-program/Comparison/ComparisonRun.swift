import Apus
import ApusCore
import ApusEval
import ApusModels
import ApusTensor

/// Measures variants of a model: quality one after the other beside the reference, speed in turns.
struct ComparisonRun {
    let variants: [(variant: Variant, path: String)]
    let text: [UInt8]
    let contextLength: Int
    let chunks: Int?
    let work: SpeedBenchmark.Work
    let rounds: Int
    let threads: Int?

    /// What was measured, variant by variant, and the kernels it ran on.
    func entries() throws -> (entries: [Comparison.Entry], tier: String) {
        var entries = variants.map { Comparison.Entry($0.variant) }
        var tier = ""
        defer { Terminal.showProgress() }
        for round in 0..<rounds {
            for index in variants.indices {
                try Task.checkCancellation()
                Terminal.showProgress("speed of \(entries[index].variant.text), round \(round + 1) of \(rounds)")
                tier = try measureSpeed(index, &entries[index])
            }
        }
        let reference = variants[0]
        for index in variants.indices.dropFirst() {
            let run = DivergenceRun(
                path: variants[index].path,
                options: options(variants[index].variant),
                referencePath: reference.path,
                referenceOptions: options(reference.variant),
                contextLength: contextLength,
                chunks: chunks
            )
            entries[index].loss = try run.result(on: text, worstCount: 0).result
        }
        return (entries, tier)
    }

    /// Adds a round; the model is loaded for it alone, so that variants neither share memory nor a warm cache.
    private func measureSpeed(_ index: Int, _ entry: inout Comparison.Entry) throws -> String {
        let needed = work.promptCount + work.generateCount + 2
        var options = options(entry.variant)
        options.contextLength = needed
        options.kvPositionCount = (needed + 63) / 64 * 64
        let model = try LoadedModel(path: variants[index].path, options: options)
        let benchmark = try SpeedBenchmark(model, work: work)
        let round = benchmark.measure()
        entry.prefillRates.append(round.prefillRate)
        entry.decodeRates.append(round.decodeRate)
        entry.fileByteCount = try model.file.files.reduce(0) { $0 + $1.byteCount }
        entry.weightByteCount = model.plan.weights
        entry.keyValueByteCount = benchmark.keyValueByteCountPerPosition
        return model.compute.kernels.tier.rawValue
    }

    private func options(_ variant: Variant) -> ModelOptions {
        ModelOptions(
            threadCount: threads,
            contextLength: contextLength,
            kvType: variant.kvType,
            quantization: variant.quantization
        )
    }
}
