/// One request as the scheduler sees it: tokens that are known, how many of them are computed, and the blocks that
/// hold their keys and values.
///
/// Known minus computed is the work; there is no prefill or decode state. Not thread-safe: the step loop owns it.
package final class SequenceState {
    /// The request's number, ascending in order of submission.
    package let id: Int
    /// The prompt, then the generated tokens.
    package private(set) var tokens: [Int32]
    /// How many of `tokens` are the prompt.
    package let promptCount: Int
    /// The most tokens the sequence may come to know.
    package let tokenLimit: Int
    /// Tokens that end the generation, ascending.
    private let endTokens: [Int32]

    /// How many of `tokens` have their keys and values stored.
    package private(set) var computedCount = 0
    /// The KV blocks in order of position.
    package internal(set) var blocks: [Int32] = []
    /// Why the generation ended; nil while it goes on.
    package internal(set) var finishReason: FinishReason?
    /// The end token that ended the generation; it is not among `tokens`.
    package private(set) var endToken: Int32?

    /// Creates the state of a new request and reserves all the memory it will need.
    /// - Parameters:
    ///   - id: the request's number.
    ///   - prompt: the prompt's tokens, at least one.
    ///   - tokenLimit: the most tokens the sequence may know, more than the prompt has.
    ///   - endTokens: the tokens that end the generation.
    ///   - blockCount: how many blocks the sequence will have at most.
    package init(id: Int, prompt: [Int32], tokenLimit: Int, endTokens: Set<Int32>, blockCount: Int) {
        precondition(!prompt.isEmpty && tokenLimit > prompt.count)
        self.id = id
        promptCount = prompt.count
        self.tokenLimit = tokenLimit
        self.endTokens = endTokens.sorted()
        tokens = []
        tokens.reserveCapacity(tokenLimit)
        tokens.append(contentsOf: prompt)
        blocks.reserveCapacity(blockCount)
    }

    /// Known tokens that are not computed yet.
    package var pendingCount: Int { tokens.count - computedCount }

    /// Generated tokens, without an end token.
    package var generatedCount: Int { tokens.count - promptCount }

    /// Positions that need room in KV blocks: the last token to be generated is never computed.
    package var positionLimit: Int { tokenLimit - 1 }

    /// Notes that the next `count` tokens have been computed.
    func markComputed(_ count: Int) {
        precondition(count <= pendingCount)
        computedCount += count
    }

    /// Takes the token that follows the known ones and decides whether it was the last.
    func accept(_ token: Int32) {
        if isEnd(token) {
            endToken = token
            finishReason = .stop
            return
        }
        tokens.append(token)
        if tokens.count >= tokenLimit { finishReason = .length }
    }

    /// End tokens are a handful: a scan is quicker than hashing.
    private func isEnd(_ token: Int32) -> Bool {
        for end in endTokens where end >= token { return end == token }
        return false
    }
}
