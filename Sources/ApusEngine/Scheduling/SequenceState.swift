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

    /// Sequences of a higher priority come first, whenever they were submitted.
    package let priority: Int
    /// When the sequence ends, finished or not.
    package let deadline: ContinuousClock.Instant?

    /// How many of `tokens` have their keys and values stored.
    package private(set) var computedCount = 0
    /// The most positions at the start of `tokens` that were found stored instead of being computed.
    package private(set) var cachedCount = 0
    /// The KV blocks in order of position.
    package internal(set) var blocks: [Int32] = []
    /// Its number among the running sequences, its own while it runs; -1 otherwise.
    var slot = -1
    /// How many of `blocks` are full and known to the prefix cache, and the place after them.
    var knownBlockCount = 0
    var place: PrefixCache.Place = 0
    /// The archive's names of the first full blocks of `tokens`, as far as they were asked for.
    private(set) var names: [BlockName] = []
    /// How many of `blocks` the archive has, or has been told to save.
    var archivedBlockCount = 0
    /// Rows of the step being planned.
    var plannedCount = 0
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
    ///   - priority: sequences of a higher one come first.
    ///   - deadline: when the sequence ends, finished or not.
    package init(
        id: Int,
        prompt: [Int32],
        tokenLimit: Int,
        endTokens: Set<Int32>,
        blockCount: Int,
        priority: Int = 0,
        deadline: ContinuousClock.Instant? = nil
    ) {
        precondition(!prompt.isEmpty && tokenLimit > prompt.count)
        self.id = id
        self.priority = priority
        self.deadline = deadline
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

    /// Pending tokens that have no row in the step being planned.
    var unplannedCount: Int { pendingCount - plannedCount }

    /// Whether it takes part in a step with a chunk of its tokens, not with a single one.
    var isPrompt: Bool { pendingCount > 1 }

    /// Generated tokens, without an end token.
    package var generatedCount: Int { tokens.count - promptCount }

    /// Whether it goes before another: by priority, then by age.
    func precedes(_ other: SequenceState) -> Bool {
        priority == other.priority ? id < other.id : priority > other.priority
    }

    /// The archive's names of the first `count` blocks of `tokens`, all full.
    func names(count: Int, blockLength: Int) -> ArraySlice<BlockName> {
        while names.count < count {
            let start = names.count * blockLength
            names.append(BlockName(of: tokens[start..<start + blockLength], after: names.last))
        }
        return names[..<count]
    }

    /// Begins with blocks that hold its first `count` positions.
    func start(cachedCount count: Int) {
        computedCount = count
        cachedCount = max(cachedCount, count)
    }

    /// Forgets what was computed; the tokens stay known.
    func restart() {
        precondition(blocks.isEmpty)
        computedCount = 0
        knownBlockCount = 0
        place = 0
    }

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
