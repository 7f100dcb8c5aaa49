import ApusCore
import ApusEngine
import ApusNN
import ApusTensor

extension LoadedModel {
    /// Where full blocks of a runner of this model outlive it, if the options name a folder.
    func prefixStore(for runner: ModelRunner, options: ModelOptions) throws -> PrefixStore? {
        guard let folder = options.prefixFolder, options.engine.cachesPrefixes else { return nil }
        return try PrefixStore(
            folder: folder,
            fingerprint: fingerprint(options: options),
            shape: model.shape.keyValues,
            type: options.kvType,
            memory: runner.blockMemory,
            contextLength: plan.contextLength
        )
    }

    /// All that this model's keys and values depend on beside the tokens: the contents of its files, what its weights were
    /// rounded to, how positions are rotated in this context, and how keys and values are stored.
    private func fingerprint(options: ModelOptions) throws -> ModelFingerprint {
        var fingerprint = ModelFingerprint()
        fingerprint.combine(UInt64(BlockFile.version))
        fingerprint.combine(UInt64(KVBlockMemory.numbersVersion))
        for file in try file.files {
            fingerprint.combine(UInt64(file.byteCount))
            for sum in compute.checksums(of: file) { fingerprint.combine(sum) }
        }
        fingerprint.combine(Array("\(options.quantization?.description ?? "as stored")".utf8))
        fingerprint.combine(Array(options.kvType.rawValue.utf8))
        for rotary in model.shape.rotary {
            fingerprint.combine(UInt64(rotary.magnitude.bitPattern))
            fingerprint.combine(UInt64(rotary.inverseFrequencies.count))
            for frequency in rotary.inverseFrequencies { fingerprint.combine(frequency.bitPattern) }
        }
        return fingerprint
    }
}

extension Model {
    /// Waits until the prompts kept in `ModelOptions.prefixFolder` are written, or the time is up.
    package func finishSaving(within duration: Duration) { store?.finishSaving(within: duration) }
}
