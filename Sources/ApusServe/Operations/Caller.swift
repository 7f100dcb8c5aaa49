/// Who asks: a key's name and what it may use; without a key file everybody is the same caller without limits.
package struct Caller: Sendable, Equatable {
    package var name: String?
    /// Answers under way at once.
    package var concurrency: Int?
    /// Tokens per minute, prompts and answers together.
    package var tokensPerMinute: Int?

    /// Everybody, where there are no keys.
    package static let anyone = Caller()

    package init(name: String? = nil, concurrency: Int? = nil, tokensPerMinute: Int? = nil) {
        self.name = name
        self.concurrency = concurrency
        self.tokensPerMinute = tokensPerMinute
    }
}
