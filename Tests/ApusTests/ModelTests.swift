import Apus
import ApusTestSupport
import Testing

/// The library's face on the default model.
@Suite(.enabled(if: RealModel.smolLM2.isWanted)) struct ModelTests {
    private static let loading = Task {
        try await Model.load(RealModel.smolLM2.path, options: ModelOptions(contextLength: 512, kvPositionCount: 4096))
    }

    private static var model: Model {
        get async throws { try await loading.value }
    }

    private static let prompt = "The capital of France is"

    @Test(arguments: [("Why is the sky blue?", "scatter"), ("What is 2+2?", "4")])
    func aQuestionIsAnswered(question: String, part: String) async throws {
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 64)
        let answer = try await Self.model.chat(options: options).reply(to: question)
        #expect(answer.contains(part), "\(answer)")
    }

    @Test func aConversationRemembersAndForgets() async throws {
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 16)
        let chat = try await Self.model.chat(system: "You are brief.", options: options)
        let first = try await chat.reply(to: "What is 2+2?")
        let second = try await chat.reply(to: "Say it again.")
        #expect(chat.messages.count == 5)
        #expect(chat.removeLastExchange())
        #expect(chat.messages.count == 3)
        #expect(try await chat.reply(to: "Say it again.") == second)
        chat.reset()
        #expect(chat.messages.count == 1)
        #expect(try await chat.reply(to: "What is 2+2?") == first)
    }

    @Test func piecesAreTheTextOfTheTokens() async throws {
        let model = try await Self.model
        var text = ""
        var tokens: [Int32] = []
        var summary: TextGeneration.Summary?
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 24, alternativeCount: 2)
        for try await piece in try model.generate(Self.prompt, options: options) {
            text += piece.text
            tokens += piece.tokens
            #expect(piece.logprobs.count == piece.tokens.count)
            for logprob in piece.logprobs {
                #expect(logprob.logprob <= 0 && logprob.alternatives.count == 2)
                #expect(logprob.alternatives.first?.logprob == logprob.logprob)
            }
            summary = piece.summary ?? summary
        }
        #expect(text.contains("Paris"), "\(text)")
        #expect(String(decoding: model.tokenizer.decode(tokens), as: UTF8.self) == text)
        let ending = try #require(summary)
        #expect(ending.reason == .length)
        #expect(ending.generatedTokenCount == 24 && tokens.count == 24)
        #expect(ending.promptTokenCount == model.tokenizer.encode(Self.prompt).count)
    }

    @Test func aStopStringAcrossTokensEndsTheTextBeforeIt() async throws {
        let model = try await Self.model
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 32)
        var pieces: [String] = []
        for try await piece in try model.generate(Self.prompt, options: options) { pieces.append(piece.text) }
        let whole = pieces.joined()
        // The end of one token with the beginning of the next.
        let index = try #require(
            pieces.indices.dropLast(4).dropFirst(4).first { pieces[$0].count > 2 && pieces[$0 + 1].count > 2 }
        )
        let stop = String(pieces[index].suffix(2) + pieces[index + 1].prefix(2))
        var stopping = options
        stopping.stop = ["never said", stop]
        var text = ""
        var summary: TextGeneration.Summary?
        for try await piece in try model.generate(Self.prompt, options: stopping) {
            text += piece.text
            summary = piece.summary ?? summary
        }
        #expect(whole.hasPrefix(text + stop))
        #expect(!text.contains(stop))
        #expect(summary?.reason == .stop)
        #expect(summary?.stopString == stop)
    }

    @Test func aSeedFixesTheTextWhateverElseRuns() async throws {
        let model = try await Self.model
        func text(_ seed: UInt64) async throws -> String {
            let sampling = SamplingParameters(temperature: 1.2, seed: seed)
            return try await model.generate(
                "Once upon a time",
                options: GenerationOptions(sampling: sampling, maximumTokenCount: 24)
            ).text()
        }
        let alone = try await text(7)
        async let first = text(7)
        async let second = text(8)
        async let third = text(7)
        let together = try await [first, second, third]
        #expect(together[0] == alone && together[2] == alone)
        #expect(together[1] != alone)
    }

    @Test func endingTheIterationLeavesTheModelUsable() async throws {
        let model = try await Self.model
        var count = 0
        for try await _ in try model.generate(Self.prompt, options: .greedy) {
            count += 1
            if count == 3 { break }
        }
        #expect(count == 3)
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 8)
        #expect(try await model.generate(Self.prompt, options: options).text().contains("Paris"))
    }

    @Test func cancellingTheTaskEndsTheGeneration() async throws {
        let model = try await Self.model
        let reading = Task {
            // Begun when the cancellation is there: on a busy machine a whole run may pass between two statements.
            while !Task.isCancelled { await Task.yield() }
            var count = 0
            for try await _ in try model.generate("Count: 1, 2, 3, 4,", options: .greedy) { count += 1 }
            return count
        }
        reading.cancel()
        // A run to the end of the context would give some 500 pieces.
        #expect(try await reading.value < 400)
    }

    @Test func aPromptThatDoesNotFitIsRefusedWithTheCounts() async throws {
        let model = try await Self.model
        let long = String(repeating: "one two three ", count: 400)
        let count = model.tokenizer.encode(long).count
        let error = #expect(throws: ApusError.self) { try model.generate(long) }
        #expect(error?.code == .contextFull)
        #expect(error?.message.contains("the prompt has \(count) tokens and the context 512") == true)
    }

    @Test func theContextEndsAGenerationWithLength() async throws {
        let model = try await Model.load(RealModel.smolLM2.path, options: ModelOptions(contextLength: 24))
        var options = GenerationOptions.greedy
        options.sampling.logitBias = Dictionary(
            uniqueKeysWithValues: model.tokenizer.endOfGeneration.map { ($0, -Float.infinity) }
        )
        var summary: TextGeneration.Summary?
        for try await piece in try model.generate(Self.prompt, options: options) { summary = piece.summary ?? summary }
        #expect(summary?.reason == .length)
        #expect((summary?.promptTokenCount ?? 0) + (summary?.generatedTokenCount ?? 0) == 24)
    }

    @Test func aTextThatWouldBreakTheMemoryPlanIsRefused() async throws {
        let plan = try await Self.model.memoryPlan
        let options = ModelOptions(contextLength: 512, memoryLimit: plan.total + 1_000_000, kvPositionCount: 4096)
        let model = try await Model.load(RealModel.smolLM2.path, options: options)
        let embedding = #expect(throws: ApusError.self) { try model.embedding(of: "A spider") }
        #expect(embedding?.code == .contextFull)
        let scoring = #expect(throws: ApusError.self) { try model.logprobs(of: [1, 2, 3], alternativeCount: 1) }
        #expect(scoring?.code == .contextFull)
    }

    /// An exact page has keys and values of 32 positions, 3 heads and 64 dimensions as halves: one for each of 30 layers, and
    /// one that a step fills.
    @Test func exactPagesArePlannedForAsManySequencesAsThereCanBe() throws {
        let facts = try ModelFacts(ModelFile(path: RealModel.smolLM2.path))
        var options = ModelOptions(contextLength: 8192, kvType: .kivi2)
        let byPositions = try facts.memoryPlan(options: options).keyValues
        options.maximumSequenceCount = 1
        let saved = byPositions - (try facts.memoryPlan(options: options).keyValues)
        let pages = (8192 / 512 - 1) * (30 + 1) * 32 * 3 * 64 * 2 * 2
        #expect((pages..<pages + 4096).contains(saved))
    }

    @Test func embeddingsHaveTheModelsWidthAndAreTheSameEachTime() async throws {
        let model = try await Self.model
        let first = try model.embedding(of: "A spider sits in its web.")
        #expect(first.count == 576)
        #expect(first.allSatisfy(\.isFinite) && first.contains { $0 != 0 })
        #expect(try model.embedding(of: "A spider sits in its web.") == first)
        let near = try model.embedding(of: "The spider is sitting in the web.")
        let far = try model.embedding(of: "SELECT id FROM orders WHERE total > 100;")
        #expect(Self.cosine(first, near) > Self.cosine(first, far))
        let error = #expect(throws: ApusError.self) { try model.embedding(of: "") }
        #expect(error?.code == .invalidArgument)
    }

    @Test func whatCannotBeLoadedIsRefusedByName() async throws {
        let path = RealModel.smolLM2.path
        func code(_ path: String, _ options: ModelOptions) async -> ApusError.Code? {
            do {
                _ = try await Model.load(path, options: options)
                return nil
            } catch {
                return (error as? ApusError)?.code
            }
        }
        #expect(await code("\(path).missing", ModelOptions()) == .notFound)
        #expect(await code(path, ModelOptions(threadCount: 0)) == .invalidArgument)
        #expect(await code(path, ModelOptions(contextLength: 1)) == .invalidArgument)
        #expect(await code(path, ModelOptions(contextLength: 1 << 20)) == .invalidArgument)
        #expect(await code(path, ModelOptions(memoryLimit: 1 << 20)) == .outOfMemory)
        #expect(await code(path, ModelOptions(memoryLimit: 120 << 20, kvPositionCount: 1 << 20)) == .outOfMemory)
    }

    private static func cosine(_ a: [Float], _ b: [Float]) -> Float {
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }
}
