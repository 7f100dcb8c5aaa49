import ApusCore
import ApusFormats
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// What each family has of its own shows in the logits: left out, they leave the bound of `ReferenceLogitsTests` far
/// behind.
@Suite struct FeatureTests {
    /// A feature, and how a model is loaded without it.
    struct Feature: CustomTestStringConvertible {
        let model: String
        let name: String
        let edit: @Sendable () -> Edit
        var testDescription: String { "\(model): \(name)" }

        static func setting(
            _ model: String,
            _ name: String,
            _ change: @escaping @Sendable (inout ModelConfiguration) -> Void
        ) -> Feature {
            Feature(model: model, name: name) { Edit(configuration: change) }
        }

        /// The qwen2 family insists on its biases; llama's layer takes those that are there.
        static func bias(_ suffix: String) -> Feature {
            Feature(model: "qwen2", name: suffix) {
                Edit(hiddenTensors: { $0.hasSuffix(suffix) }, load: ModelFamily.llama.load)
            }
        }

        static func part(_ name: String, _ change: @escaping @Sendable (inout GemmaParts) -> Void) -> Feature {
            Feature(model: "gemma3", name: name) {
                var parts = GemmaParts()
                change(&parts)
                return Edit(load: parts.load)
            }
        }
    }

    static let features: [Feature] = [
        .setting("llama", "rotary base") { $0.rotaryBase = 500_000 },
        .setting("llama", "pairs of halves") { $0.rotaryStyle = .interleaved },
        .setting("llama-linear", "linear scaling") { $0.rotaryScaling = .none },
        .setting("llama-yarn", "YaRN scaling") { $0.rotaryScaling = .none },
        .setting("llama-yarn", "YaRN's attention factor", Self.withoutAttentionFactor),
        .setting("llama-yarn", "YaRN's ramp") { $0.rotaryScaling = .linear(factor: 8) },
        .setting("llama3-rope", "Llama 3's scaling") { $0.rotaryScaling = .none },
        .setting("llama3-rope", "Llama 3's smooth part") { $0.rotaryScaling = .linear(factor: 8) },
        .setting("mistral-window", "window") { $0.slidingWindow = 0 },
        .setting("mistral-window", "window's width") { $0.slidingWindow += 1 },
        .bias("attn_q.bias"),
        .bias("attn_k.bias"),
        .bias("attn_v.bias"),
        Feature(model: "qwen3", name: "norms of queries and keys") { Edit(load: ModelFamily.llama.load) },
        .setting("gemma3", "window") { $0.slidingWindow = 1 << 20 },
        .setting("gemma3", "global layers") { $0.globalLayers = $0.globalLayers.map { _ in false } },
        .setting("gemma3", "local rotary base") { $0.localRotaryBase = $0.rotaryBase },
        .setting("gemma3", "global rotary base") { $0.rotaryBase = $0.localRotaryBase },
        .setting("gemma3", "1 added to norms") { $0.normOffset = 0 },
        .setting("gemma3", "scale of scores") { $0.attentionScale = nil },
        .part("norm of queries") { $0.hasQueryNorm = false },
        .part("norm of keys") { $0.hasKeyNorm = false },
        .part("norm behind attention") { $0.hasAttentionPostNorm = false },
        .part("norm behind the MLP") { $0.hasMLPPostNorm = false },
        .part("embedding scale") { $0.scalesEmbeddings = false },
        .part("GELU") { $0.activation = .silu },
        .setting("phi3", "rotary base") { $0.rotaryBase = 500_000 },
        .setting("phi3-longrope", "LongRoPE's factors and magnitude") { $0.longRotary = nil },
        .setting("phi3-longrope", "LongRoPE's magnitude") { $0.longRotary?.magnitude = 1 },
        .setting("phi3-longrope", "LongRoPE's short factors") { $0.contextLength = 256 },
        .setting("llama-yarn-own", "YaRN's betas", Self.withoutBetas),
        .setting("llama-yarn-own", "YaRN's own attention factor", Self.withoutAttentionFactor),
        .setting("gemma3-linear", "linear scaling of global layers") { $0.rotaryScaling = .none },
    ]

    @Test(arguments: features) func leavingOutAFeatureBreaksTheBound(feature: Feature) throws {
        let difference = try ReferenceModel(feature.model).difference(feature.edit())
        #expect(difference > 10 * ReferenceLogitsTests.bound, "\(feature.testDescription): \(difference)")
    }

    /// So that what the parts leave out, and not how they are put together, makes the difference above.
    @Test func gemmaFromAllItsPartsIsTheFamilysModel() throws {
        let difference = try ReferenceModel("gemma3").difference(Edit(load: GemmaParts().load))
        #expect(difference <= ReferenceLogitsTests.bound)
    }

    /// A tied model's output layer is its embedding, even beside a matrix of its own.
    @Test(arguments: ["llama3-rope", "qwen3"]) func tiedEmbeddingsAreTheOutputLayer(name: String) throws {
        let model = try ReferenceModel(name)
        let embedding = try #require(model.source.tensors.tensor(named: "token_embd.weight"))
        let folder = try TemporaryFolder()
        let shape = Array(embedding.shape.reversed())
        var random = SmallRandom(seed: 1)
        let values = (0..<embedding.elementCount).map { _ in random.float() }
        try folder.write(SafetensorsWriter.bytes([("lm_head.weight", shape, values)]), to: "head")
        let head = try #require(try SafetensorsModel(path: "\(folder.path)/head").tensor(named: "lm_head.weight"))
        var edit = Edit(replacedTensors: ["output.weight": head])
        #expect(try model.difference(edit) <= ReferenceLogitsTests.bound)
        edit.configuration = { $0.tiesEmbeddings = false }
        #expect(try model.difference(edit) > 10 * ReferenceLogitsTests.bound)
    }

    @Test func aMissingBiasIsNamedWithItsFile() throws {
        let error = #expect(throws: ApusError.self) {
            try ReferenceModel("qwen2").difference(Edit(hiddenTensors: { $0.hasSuffix("attn_k.bias") }))
        }
        #expect(
            error?.message.hasSuffix("models/qwen2: tensor model.layers.0.self_attn.k_proj.bias is missing") == true
        )
    }

    @Sendable private static func withoutAttentionFactor(_ configuration: inout ModelConfiguration) {
        switch configuration.rotaryScaling {
        case .yarn(let factor, let originalContext, let betaFast, let betaSlow, _):
            configuration.rotaryScaling = .yarn(
                factor: factor,
                originalContext: originalContext,
                betaFast: betaFast,
                betaSlow: betaSlow,
                attentionFactor: 1
            )
        default: Issue.record("expected a scaling with an attention factor")
        }
    }

    @Sendable private static func withoutBetas(_ configuration: inout ModelConfiguration) {
        guard case .yarn(let factor, let originalContext, _, _, let attentionFactor) = configuration.rotaryScaling
        else {
            Issue.record("expected YaRN")
            return
        }
        configuration.rotaryScaling = .yarn(
            factor: factor,
            originalContext: originalContext,
            betaFast: 32,
            betaSlow: 1,
            attentionFactor: attentionFactor
        )
    }
}
