public import ApusCore
public import ApusFormats

extension Tokenizer {
    public convenience init(json: FileBytes, config: FileBytes?) throws {
        throw ApusError(.unsupported, "x")
    }
}
