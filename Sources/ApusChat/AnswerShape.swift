/// What an answer must look like: its content, and the calls that may or must stand in its place.
package struct AnswerShape: Hashable, Sendable {
    /// What is said.
    package enum Content: Hashable, Sendable {
        case anything
        case jsonObject
        /// The documents of a JSON Schema.
        case jsonSchema(String)
        /// The texts of a grammar in llama.cpp's notation.
        case gbnf(String)
    }

    /// The calls of an answer.
    package struct Calls: Hashable, Sendable {
        /// A function that may be called.
        package struct Function: Hashable, Sendable {
            package let name: String
            /// The JSON Schema of its arguments; nil for any object.
            package let parameters: String?
            /// Whether a schema that cannot be enforced is refused, rather than taken for any object.
            package let isStrict: Bool

            package init(name: String, parameters: String?, isStrict: Bool) {
                self.name = name
                self.parameters = parameters
                self.isStrict = isStrict
            }
        }

        package var functions: [Function]
        /// Whether the answer is nothing but calls.
        package var isRequired: Bool
        /// Whether there may be more than one.
        package var allowsMany: Bool

        package init(functions: [Function], isRequired: Bool, allowsMany: Bool) {
            self.functions = functions
            self.isRequired = isRequired
            self.allowsMany = allowsMany
        }
    }

    package var content = Content.anything
    /// Nil where there are no tools.
    package var calls: Calls?

    package init(content: Content = .anything, calls: Calls? = nil) {
        self.content = content
        self.calls = calls
    }

    /// The functions that an answer may also call without the marks of a model's format: where both calls and text may
    /// come, and nothing is promised of the arguments.
    package var plainCallNames: [String] {
        guard content == .anything, let calls, !calls.isRequired else { return [] }
        return calls.functions.filter { !$0.isStrict }.map(\.name)
    }

    /// Whether every answer will do.
    package var isAnything: Bool {
        content == .anything && calls.map { !$0.isRequired && !$0.functions.contains(where: \.isStrict) } ?? true
    }
}

/// Where a model's thoughts stand.
package enum Thoughts: Hashable, Sendable {
    /// It has none.
    case none
    /// An answer may begin with `<think>`.
    case possible
    /// The prompt ends with `<think>`.
    case begun
}
