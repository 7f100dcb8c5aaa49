import ApusCore
package import ApusFormats

/// Reads a model's settings from GGUF metadata or a Hugging Face `config.json`, checked against ranges.
package struct ConfigurationReader: Sendable {
    package enum Source: Sendable {
        case gguf(GGUFMetadata, architecture: String)
        case huggingFace(JSONValue, path: String)
    }

    package let source: Source

    package init(_ source: Source) { self.source = source }

    /// The file the settings are from, for messages.
    package var path: String {
        switch source {
        case .gguf(let metadata, _): metadata.path
        case .huggingFace(_, let path): path
        }
    }

    /// Whether the settings are from a GGUF file.
    package var isGGUF: Bool { if case .gguf = source { true } else { false } }

    /// An integer by its GGUF key (without the architecture) and its Hugging Face key; nil where it is absent or null.
    package func integer(gguf key: String?, huggingFace name: String?, in range: ClosedRange<Int>) throws -> Int? {
        let found: Int?
        switch source {
        case .gguf(let metadata, let architecture):
            guard let key else { return nil }
            found = try metadata.integerIfPresent("\(architecture).\(key)")
        case .huggingFace(let json, _):
            guard let name, let value = try json.memberIfPresent(name), !value.isNull else { return nil }
            found = try value.integer()
        }
        guard let found else { return nil }
        guard range.contains(found) else {
            throw outOfRange(key, name, "\(found)", "\(range.lowerBound) to \(range.upperBound)")
        }
        return found
    }

    /// A number by its GGUF key and its Hugging Face key; nil where it is absent or null.
    package func number(gguf key: String?, huggingFace name: String?, in range: ClosedRange<Double>) throws -> Double? {
        let found: Double?
        switch source {
        case .gguf(let metadata, let architecture):
            guard let key else { return nil }
            found = try metadata.floatIfPresent("\(architecture).\(key)")
        case .huggingFace(let json, _):
            guard let name, let value = try json.memberIfPresent(name), !value.isNull else { return nil }
            found = try value.double()
        }
        guard let found else { return nil }
        guard range.contains(found) else {
            throw outOfRange(key, name, "\(found)", "\(range.lowerBound) to \(range.upperBound)")
        }
        return found
    }

    /// Hugging Face's rotary settings: `rope_parameters` (transformers 5; one per kind of layer in Gemma 3) or
    /// `rope_scaling`, as a reader of its own; nil in GGUF files and where there are none.
    package func rotary(ofLayers kind: String = "full_attention") throws -> ConfigurationReader? {
        guard case .huggingFace(let json, let path) = source else { return nil }
        for name in ["rope_parameters", "rope_scaling"] {
            guard let value = try json.memberIfPresent(name), !value.isNull else { continue }
            return ConfigurationReader(.huggingFace(try value.memberIfPresent(kind) ?? value, path: path))
        }
        return nil
    }

    /// The numbers of a Hugging Face list; nil where it is absent.
    package func numbers(huggingFace name: String) throws -> [Float]? {
        guard case .huggingFace(let json, _) = source, let value = try json.memberIfPresent(name), !value.isNull else {
            return nil
        }
        return try value.elements().map { Float(try $0.double()) }
    }

    /// The text of a Hugging Face field; nil where it is absent.
    package func text(huggingFace name: String) throws -> String? {
        guard case .huggingFace(let json, _) = source, let value = try json.memberIfPresent(name), !value.isNull else {
            return nil
        }
        return try value.string()
    }

    /// An integer the model cannot do without.
    package func requiredInteger(gguf key: String, huggingFace name: String, in range: ClosedRange<Int>) throws -> Int {
        guard let value = try integer(gguf: key, huggingFace: name, in: range) else {
            throw ApusError(.malformedFile, "\(path): \(field(key, name)) is missing")
        }
        return value
    }

    /// The name of the setting in this file.
    package func field(_ key: String?, _ name: String?) -> String {
        switch source {
        case .gguf(_, let architecture): "metadata \(architecture).\(key ?? "?")"
        case .huggingFace: "field \(name ?? "?")"
        }
    }

    private func outOfRange(_ key: String?, _ name: String?, _ found: String, _ expected: String) -> ApusError {
        ApusError(.malformedFile, "\(path): \(field(key, name)): expected \(expected), found \(found)")
    }
}
