package import ApusNN
package import ApusTensor

/// A model family: the names files use for it, and how its model is put together.
package struct ModelFamily: Sendable {
    /// `general.architecture` in GGUF files.
    package let architecture: String
    /// `model_type` in Hugging Face configurations.
    package let modelTypes: [String]
    /// Where this family's tensor names differ from the common ones.
    package let tensorNames: TensorNames
    /// How GGUF files order the rows of q and k: as Hugging Face does, or so that neighbours rotate together.
    package var ggufRotaryStyle = RotaryStyle.halves
    /// Builds the model from a file's configuration and weights.
    package let load: @Sendable (ModelConfiguration, WeightLoader) throws -> any LanguageModel
    /// What the family changes in a configuration read from a file.
    package let configure: @Sendable (inout ModelConfiguration, ConfigurationReader) throws -> Void
    /// What the family's GGUF files hold of a configuration besides what all hold.
    package var ggufExtras: @Sendable (ModelConfiguration) throws -> GGUFExtras = { _ in GGUFExtras() }

    /// All families Apus knows.
    ///
    /// Adding one is its file and its line here.
    package static let all: [ModelFamily] = [
        .llama,
        .qwen2,
        .qwen3,
        .gemma3,
        .phi3,
    ]
}
