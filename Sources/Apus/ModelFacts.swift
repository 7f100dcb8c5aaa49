import ApusCore
import ApusFormats
import ApusModels
import ApusTensor

/// What a model's headers say, without loading its weights.
package struct ModelFacts {
    package let name: String?
    package let architecture: String
    package let contextLength: Int
    package let vocabularySize: Int
    package let parameterCount: Int
    private let byteCountsByType: [(type: ElementType, byteCount: Int)]
    private let source: ModelSource
    private let path: String

    package init(_ file: ModelFile) throws {
        source = try file.model()
        path = file.path
        architecture = source.family.architecture
        contextLength = source.configuration.contextLength
        if case .gguf(let gguf) = file.source {
            name = try gguf.metadata.stringIfPresent("general.name")
        } else {
            name = nil
        }
        let tensors = source.tensors.all
        vocabularySize = source.tensors.tensor(named: "token_embd.weight")?.shape.last ?? 0
        parameterCount = tensors.reduce(0) { $0 &+ $1.elementCount }
        var counts: [ElementType: Int] = [:]
        for tensor in tensors { counts[tensor.type, default: 0] += tensor.bytes.count }
        byteCountsByType = counts.map { (type: $0, byteCount: $1) }.sorted { $0.byteCount > $1.byteCount }
    }

    /// `135 M`, `1.5 B`.
    package var parameterText: String {
        let millions = (parameterCount + 50_000) / 100_000
        if millions < 10_000 { return "\(millions / 10) M" }
        return "\(millions / 10_000).\(millions / 1_000 % 10) B"
    }

    /// The element types, the largest share first.
    package var typeText: String {
        byteCountsByType.map { "\($0.type) \(ByteCount.text($0.byteCount))" }.joined(separator: ", ")
    }

    /// What the model will take.
    package func memoryPlan(options: ModelOptions) throws -> MemoryPlan {
        let kernels = try KernelTable(tier: KernelTier.fromEnvironment())
        return try MemoryPlan(
            path: path,
            shape: source.shape(vocabularySize: vocabularySize, quantization: options.quantization),
            weights: source.weightByteCount(quantization: options.quantization, kernels: kernels),
            threadCount: options.threadCount ?? ProcessorCount.available,
            options: options
        )
    }
}

extension ModelFile {
    /// Every metadata field as text, long values cut and said to be.
    package func metadataTexts() -> [(key: String, value: String)] {
        switch source {
        case .gguf(let file):
            return file.metadata.map { ($0.key, $0.valueDescription()) }
        case .folder(let folder):
            guard let members = try? folder.configuration.members() else { return [] }
            return members.compactMap { member in
                guard let key = try? member.key.string() else { return nil }
                var writer = JSONWriter(.compact)
                writer.value(member.value)
                return (key, writer.text)
            }
        }
    }
}
