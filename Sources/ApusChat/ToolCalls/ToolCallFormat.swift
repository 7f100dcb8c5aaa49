/// How a family of models writes the tool calls of an answer.
package enum ToolCallFormat: Sendable, Equatable, CaseIterable {
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`, any number of them: Hermes, Qwen.
    case tagged
    /// The whole answer is `{"name": …, "parameters": …}`, several separated by `;`: Llama 3.
    case llama
    /// `[TOOL_CALLS][{"name": …, "arguments": …}]` or `[TOOL_CALLS]name[ARGS]{…}`: Mistral.
    case mistral
    /// The whole answer is a JSON object with `name` and `arguments` or `parameters`, or a list of them.
    case generic

    /// The format that a chat template teaches.
    package init(template: String) {
        if template.contains("[TOOL_CALLS]") {
            self = .mistral
        } else if template.contains("<tool_call>") {
            self = .tagged
        } else if template.contains("<|python_tag|>") || template.contains("\"parameters\": dictionary") {
            self = .llama
        } else {
            self = .generic
        }
    }

    /// Tokens' texts that mark calls, special tokens or not.
    package static let markers = ["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>"]
}

/// A call of a function, as a model wants it.
package struct ToolCall: Sendable, Equatable {
    /// The function.
    package let name: String
    /// The arguments, a JSON object as text.
    package let arguments: String

    package init(name: String, arguments: String) {
        self.name = name
        self.arguments = arguments
    }
}
