import Apus
import ApusTensor
import ArgumentParser

/// A model and how it is run: `MODEL`, `MODEL,kv=kivi4`, `MODEL,quantize=q4_0,kv=q8_0`.
struct Variant: ExpressibleByArgument, Equatable {
    /// As it was typed, by which reports name it.
    let text: String
    let model: String
    private(set) var kvType = KVType.f16
    private(set) var quantization: ElementType?

    init?(argument text: String) {
        self.text = text
        var model = Substring(text)
        // Only what reads as a setting is one: names of files may have commas.
        while let comma = model.lastIndex(of: ",") {
            let setting = model[model.index(after: comma)...].split(separator: "=", omittingEmptySubsequences: false)
            guard setting.count == 2, ["kv", "quantize"].contains(setting[0]) else { break }
            if setting[0] == "kv" {
                guard let type = KVType(argument: String(setting[1])) else { return nil }
                kvType = type
            } else {
                guard let type = ElementType(argument: String(setting[1])) else { return nil }
                quantization = type
            }
            model = model[..<comma]
        }
        guard !model.isEmpty else { return nil }
        self.model = String(model)
    }

    /// What the shell completes: the model.
    static var defaultCompletionKind: CompletionKind { .file() }
}
