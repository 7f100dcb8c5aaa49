import Apus
import ApusCore
import ApusStore

/// What `apus show` says of a model.
struct ModelCard {
    let path: String
    private let byteCount: Int
    let licence: String?
    let template: String?
    private let facts: ModelFacts
    private let metadata: [(key: String, value: String)]
    private let tensors: [TensorInfo]
    private let plan: Result<MemoryPlan, any Error>
    private let limitSource: String

    init(_ model: ResolvedModel, options: ModelOptions) throws {
        let file = try ModelFile(path: model.path)
        path = model.path
        byteCount = model.byteCount
        let facts = try ModelFacts(file)
        self.facts = facts
        licence = model.licence ?? file.licence
        template = try file.templateSource()
        metadata = file.metadataTexts()
        tensors = try file.tensors()
        plan = Result { try facts.memoryPlan(options: options) }
        limitSource = options.memoryLimitSource
    }

    /// The card for people.
    func text(listsTensors: Bool) -> String {
        var lines = rows.map { "\($0.name.padded(to: 18))\($0.value)\n" }.joined()
        switch plan {
        case .success(let plan):
            lines += "memory plan\n"
            for part in plan.parts { lines += "  \(part.name.padded(to: 16))\(part.text)\n" }
            lines += "  total           \(ByteCount.text(plan.total)) of \(ByteCount.text(plan.limit)) allowed"
            lines += ", \(limitSource)\n"
        case .failure(let error):
            lines += "memory plan       does not fit: \(error)\n"
        }
        lines += "metadata\n" + metadata.map { "  \($0.key) = \($0.value)\n" }.joined()
        if listsTensors {
            lines += "tensors\n"
            for tensor in tensors {
                let shape = tensor.shape.map(String.init).joined(separator: " x ")
                lines += "  \(tensor.name.padded(to: 40))\(tensor.type.description.padded(to: 8))\(shape)\n"
            }
        }
        return lines
    }

    private var rows: [(name: String, value: String)] {
        [
            ("model", facts.name ?? path),
            ("architecture", facts.architecture),
            ("parameters", facts.parameterText),
            ("types", facts.typeText),
            ("size", ByteCount.text(byteCount)),
            ("context", "\(facts.contextLength)"),
            ("vocabulary", "\(facts.vocabularySize)"),
            ("licence", licence ?? "not stated by the file"),
            ("chat template", template == nil ? "none (a base model: use run --raw)" : "yes (--template prints it)"),
        ]
    }

    /// The card for scripts.
    var jsonText: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.member("path", path)
            writer.member("name", facts.name)
            writer.member("architecture", facts.architecture)
            writer.member("parameters", facts.parameterCount)
            writer.member("bytes", byteCount)
            writer.member("context_length", facts.contextLength)
            writer.member("vocabulary_size", facts.vocabularySize)
            writer.member("licence", licence)
            writer.member("chat_template", template)
            writer.key("memory_plan")
            writer.object { writer in
                switch plan {
                case .success(let plan):
                    writer.member("weights_bytes", plan.weights)
                    writer.member("kv_bytes", plan.keyValues)
                    writer.member("kv_positions", plan.kvPositionCount)
                    writer.member("buffers_bytes", plan.buffers)
                    writer.member("total_bytes", plan.total)
                    writer.member("limit_bytes", plan.limit)
                case .failure(let error):
                    writer.member("error", "\(error)")
                }
            }
            writer.key("metadata")
            writer.object { writer in for entry in metadata { writer.member(entry.key, entry.value) } }
            writer.key("tensors")
            writer.array { writer in
                for tensor in tensors {
                    writer.object { writer in
                        writer.member("name", tensor.name)
                        writer.member("type", tensor.type.description)
                        writer.key("shape")
                        writer.array { writer in for extent in tensor.shape { writer.value(extent) } }
                        writer.member("bytes", tensor.bytes.count)
                    }
                }
            }
        }
        return writer.text
    }
}

extension String {
    /// The text with spaces behind it up to a width, at least one.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
