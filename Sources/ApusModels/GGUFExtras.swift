package import ApusFormats

/// What GGUF files of some families hold besides the settings and tensors that all have.
package struct GGUFExtras: Sendable {
    /// Settings by their key behind the architecture's name.
    package var fields: [(key: String, value: GGUFHeader.Value)] = []
    /// Vectors that a Hugging Face folder states in its configuration instead.
    package var vectors: [(name: String, values: [Float])] = []

    package init() {}
}
