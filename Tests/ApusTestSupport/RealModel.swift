/// The real models that tests may find; with CI=true they must be there.
package enum RealModel: String, CaseIterable, Sendable, CustomStringConvertible {
    case smolLM2 = "SmolLM2-135M-Instruct.Q4_1"
    case gemma3 = "gemma-3-270m.Q4_K_M"
    case qwenHalfBillion = "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M"
    case qwenOneAndAHalfBillion = "Qwen2.5-Coder-1.5B-Instruct.Q4_K_M"

    package var description: String { rawValue }

    /// The model's file, there or not.
    package var path: String { "\(FetchedData.folder)/\(rawValue).gguf" }

    /// Whether tests are to use it: those of a missing model are left out, except where they are to fail.
    package var isWanted: Bool { FetchedData.path("\(rawValue).gguf") != nil || FetchedData.isRequired }

    /// The models that tests are to use.
    package static var wanted: [RealModel] { allCases.filter(\.isWanted) }
}
