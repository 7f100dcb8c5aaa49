import Apus
package import ApusEngine
import ApusTokenizers

/// A prompt as an answer begins with it.
package struct Echo: Sendable {
    /// A token and how likely it was; nothing is known of a first token.
    package typealias Token = (token: Int32, logprobs: TokenLogprobs?)

    package let text: String
    /// Its tokens, if their log probabilities were asked for.
    package private(set) var tokens: [Token] = []

    /// The prompt as text.
    init(_ prompt: InferenceRequest.Prompt, _ served: ServedModel) {
        text =
            switch prompt {
            case .text(let text): text
            case .tokens(let tokens): String(decoding: served.model.tokenizer.decode(tokens), as: UTF8.self)
            case .infill(let prefix, _): prefix
            case .conversation: ""
            }
    }

    /// Adds the tokens and computes how likely they were; takes as long as the prompt.
    mutating func score(_ prompt: [Int32], on served: ServedModel, alternativeCount: Int) throws {
        let tokenizer = served.model.tokenizer
        let known = try served.model.logprobs(of: prompt, alternativeCount: alternativeCount)
        tokens = zip(prompt, [nil] + known).map { (token: $0, logprobs: $1) }
        // It frames the text, and is not in it.
        if tokenizer.addsBOS, prompt.first == tokenizer.bos { tokens.removeFirst() }
    }
}
