/// Chooses the next token from a row of logits: the chain of processors, then the largest logit or a draw.
///
/// Belongs to one request; the candidates' memory is shared by all requests of an engine. Nothing is allocated per
/// token. The order is that of `SamplingParameters`; the arithmetic is stated in docs/numbers.md, section 7.
package struct TokenSampler: Sendable {
    private var processors: [any LogitsProcessor]
    private let filters: [any CandidateFilter]
    private let temperature: Float
    private let topK: Int
    private let random: Philox

    /// Creates the sampler of a request.
    /// - Parameters:
    ///   - parameters: valid parameters.
    ///   - seed: the seed to use, whatever `parameters.seed` says.
    ///   - prompt: the tokens before the first one to choose.
    ///   - tokenLimit: the most tokens there will be, prompt included.
    package init(_ parameters: SamplingParameters, seed: UInt64, prompt: [Int32], tokenLimit: Int) {
        let chain = Self.makeProcessors(parameters, prompt: prompt, tokenLimit: tokenLimit)
        temperature = parameters.temperature
        processors = temperature == 0 ? chain.filter(\.changesGreedyPick) : chain
        filters = Self.makeFilters(parameters)
        topK = parameters.topK
        random = Philox(seed: seed)
    }

    /// Chooses a token; the logits are changed in place by the processors.
    /// - Parameters:
    ///   - logits: one per token of the vocabulary.
    ///   - index: how many tokens were generated before this one.
    ///   - candidates: workspace.
    /// - Returns: the token, or nil if the logits are not numbers or forbid every token.
    package func sample(
        _ logits: inout MutableSpan<Float>,
        index: Int,
        candidates: inout Candidates
    ) -> Int32? {
        for processor in processors { processor.process(&logits) }
        guard let best = Self.largest(of: logits.span) else { return nil }
        if temperature == 0 { return Int32(best.token) }
        if topK > 0 {
            candidates.selectLargest(topK, from: logits.span)
        } else {
            candidates.selectAll(from: logits.span, largest: best.logit)
        }
        if !filters.isEmpty { candidates.weigh(temperature: 1) }
        for filter in filters { filter.apply(to: &candidates) }
        candidates.weigh(temperature: temperature)
        return draw(candidates, random.uniform(UInt64(index)))
    }

    /// Tells the processors which token was chosen.
    package mutating func accept(_ token: Int32) {
        for index in processors.indices { processors[index].accept(token) }
    }

    /// The first candidate at which the running sum of weights exceeds `fraction` of the whole.
    private func draw(_ candidates: borrowing Candidates, _ fraction: Float) -> Int32? {
        let target = fraction * candidates.totalWeight
        var sum: Float = 0
        var possible: Int32?
        for rank in 0..<candidates.count where candidates.weight(rank) > 0 {
            sum += candidates.weight(rank)
            possible = candidates.token(rank)
            if sum > target { break }
        }
        // Rounding can lift the target to the whole sum; then it is the last token that is possible at all.
        return possible
    }

    /// The largest logit, the lowest id among equals; nil if there is a NaN or the largest is infinite.
    package static func largest(of logits: Span<Float>) -> (token: Int, logit: Float)? {
        var best = -Float.infinity
        var token = 0
        var next = 0
        while let index = logits.first(above: best, from: next) {
            if logits[index].isNaN { return nil }
            (token, best) = (index, logits[index])
            next = index + 1
        }
        return best.isFinite ? (token, best) : nil
    }

    private static func makeProcessors(
        _ parameters: SamplingParameters,
        prompt: [Int32],
        tokenLimit: Int
    ) -> [any LogitsProcessor] {
        var chain: [any LogitsProcessor] = []
        if !parameters.logitBias.isEmpty { chain.append(LogitBias(parameters.logitBias)) }
        if parameters.repetitionPenalty != 1 && parameters.repetitionWindow != 0 {
            chain.append(
                RepetitionPenalty(
                    penalty: parameters.repetitionPenalty,
                    window: parameters.repetitionWindow,
                    prompt: prompt,
                    tokenLimit: tokenLimit
                )
            )
        }
        if parameters.frequencyPenalty != 0 || parameters.presencePenalty != 0 {
            chain.append(
                FrequencyPenalty(
                    frequency: parameters.frequencyPenalty,
                    presence: parameters.presencePenalty,
                    generatedLimit: tokenLimit - prompt.count
                )
            )
        }
        return chain
    }

    private static func makeFilters(_ parameters: SamplingParameters) -> [any CandidateFilter] {
        var filters: [any CandidateFilter] = []
        if parameters.typicalP < 1 { filters.append(TypicalP(parameters.typicalP)) }
        if parameters.topP < 1 { filters.append(TopP(parameters.topP)) }
        if parameters.minP > 0 { filters.append(MinP(parameters.minP)) }
        return filters
    }
}
