import ApusCore
import ApusEngine
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

/// What was computed of a prompt outlives its engine in a folder, and gives the bits that computing it anew would give.
@Suite struct PrefixFolderTests {
    /// An engine as it is after a start, and where it keeps blocks.
    private struct Served {
        let engine: Engine
        let store: PrefixStore?

        init(
            _ model: SyntheticModel,
            _ kvType: KVType,
            in folder: TemporaryFolder?,
            byteLimit: Int = PrefixFolder.defaultByteLimit,
            name: String = "model"
        ) throws {
            let compute = try Compute(threadCount: 2)
            let loaded = try model.source().load(quantization: .q4_0, compute: compute)
            // A quarter of the pool may wait to be written; what does not find room there by the end is not kept. So the
            // pool has four times what any of these texts fills, however slow the disk is.
            let sizes = ModelRunner.Sizes(
                kvPositionCount: 2048,
                contextLength: 512,
                maximumRowCount: 64,
                kvType: kvType
            )
            let runner = try ModelRunner(model: loaded, sizes: sizes, compute: compute)
            store = try folder.map { folder in
                var fingerprint = ModelFingerprint()
                fingerprint.combine(Array(name.utf8))
                return try PrefixStore(
                    folder: PrefixFolder(path: folder.path, byteLimit: byteLimit),
                    fingerprint: fingerprint,
                    shape: loaded.shape.keyValues,
                    type: kvType,
                    memory: runner.blockMemory,
                    contextLength: 512
                )
            }
            engine = try Engine(
                runner: runner,
                configuration: EngineConfiguration(cachesPrefixes: folder != nil),
                store: store
            )
        }

        func answer(_ prompt: [Int32], count: Int = 20) async throws -> Answer {
            var answer = Answer()
            let request = GenerationRequest(
                prompt: prompt,
                sampling: SamplingParameters(seed: 3),
                maximumTokenCount: count,
                ignoresEndOfGeneration: true,
                alternativeCount: 5
            )
            for try await event in try engine.submit(request) {
                switch event {
                case .started(let count): answer.cachedTokenCount = count
                case .token(let token, let logprobs):
                    answer.tokens.append(token)
                    answer.logprobs.append(logprobs)
                case .finished: break
                }
            }
            store?.finishSaving(within: .seconds(60))
            return answer
        }
    }

    private struct Answer {
        var tokens: [Int32] = []
        var logprobs: [TokenLogprobs?] = []
        var cachedTokenCount = 0

        func hasTheBits(of other: Answer) -> Bool { tokens == other.tokens && logprobs == other.logprobs }
    }

    private static let prompt = SyntheticModel.tokens(300)
    private static let model = SyntheticModel.all[0]

    private static func blocks(in folder: TemporaryFolder) -> [String] {
        folder.files().filter { $0.hasSuffix(".kv") }.map { "\(folder.path)/\($0)" }
    }

    @Test(arguments: SyntheticModel.all, KVType.allCases)
    func afterARestartABeginningIsThereWithTheBitsOfAColdRun(model: SyntheticModel, kvType: KVType) async throws {
        let folder = try TemporaryFolder()
        let first = try await Served(model, kvType, in: folder).answer(Self.prompt, count: 60)
        #expect(first.cachedTokenCount == 0)
        let next = Self.prompt + first.tokens + SyntheticModel.tokens(20, seed: 2)
        let other = Array(Self.prompt.prefix(200)) + SyntheticModel.tokens(90, seed: 3)
        // The last token of a prompt that is all there is computed.
        for (prompt, sharedCount) in [(next, 359), (other, 200), (Self.prompt, 299)] {
            let count = sharedCount - sharedCount % kvType.blockLength
            let restarted = try Served(model, kvType, in: folder)
            let warm = try await restarted.answer(prompt)
            let cold = try await Served(model, kvType, in: nil).answer(prompt)
            #expect(warm.cachedTokenCount == count)
            #expect(warm.hasTheBits(of: cold))
            let statistics = restarted.engine.statistics
            #expect(statistics.restoredTokenCount == count)
            #expect(statistics.computedRowCount == prompt.count - count + warm.tokens.count - 1)
        }
    }

    @Test func aDamagedFileIsRemovedAndItsBlockComputed() async throws {
        let folder = try TemporaryFolder()
        let cold = try await Served(Self.model, .f16, in: folder).answer(Self.prompt)
        let files = Self.blocks(in: folder)
        #expect(files.count == 5 - 1)
        let size = try Data(contentsOf: URL(fileURLWithPath: files[0])).count
        var damages: [(String, (Data) -> Data)] = []
        // Every byte of the head, then some of the rest: a flipped bit, and all that follows cut off.
        for place in Array(0..<80) + Array(stride(from: 80, to: size - 8, by: size / 16)) + Array(size - 8..<size) {
            damages.append(
                (
                    "bit at \(place)",
                    {
                        var data = $0; data[place % data.count] ^= 1; return data
                    }
                )
            )
        }
        for length in [0, 1, 63, size / 2, size - 1] {
            damages.append(("cut to \(length)", { $0.prefix(length) }))
        }
        damages.append(("longer", { $0 + [0] }))
        let whole = try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        for (number, (name, damage)) in damages.enumerated() {
            let index = number % files.count
            for (file, data) in zip(files, whole) { try data.write(to: URL(fileURLWithPath: file)) }
            try damage(whole[index]).write(to: URL(fileURLWithPath: files[index]))
            let served = try Served(Self.model, .f16, in: folder)
            let answer = try await served.answer(Self.prompt)
            #expect(answer.hasTheBits(of: cold), "\(name)")
            #expect(answer.cachedTokenCount < 256, "\(name)")
            // It was written anew.
            #expect(try Data(contentsOf: URL(fileURLWithPath: files[index])) == whole[index], "\(name)")
        }
    }

    @Test func whatIsUnderAWrongNameIsNotTaken() async throws {
        let folder = try TemporaryFolder()
        let cold = try await Served(Self.model, .f16, in: folder).answer(Self.prompt)
        let files = Self.blocks(in: folder)
        let whole = try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        for (file, data) in zip(files, whole.reversed()) { try data.write(to: URL(fileURLWithPath: file)) }
        #expect(try await Served(Self.model, .f16, in: folder).answer(Self.prompt).hasTheBits(of: cold))
        // Links and folders in the place of files.
        for file in files { try FileManager.default.removeItem(atPath: file) }
        try FileManager.default.createSymbolicLink(atPath: files[0], withDestinationPath: "/dev/zero")
        try FileManager.default.createDirectory(atPath: files[1], withIntermediateDirectories: false)
        #expect(mkfifo(files[2], 0o600) == 0)
        #expect(try await Served(Self.model, .f16, in: folder).answer(Self.prompt).hasTheBits(of: cold))
    }

    @Test func anotherModelFindsNothing() async throws {
        let folder = try TemporaryFolder()
        _ = try await Served(Self.model, .f16, in: folder, name: "one").answer(Self.prompt)
        let other = try await Served(Self.model, .f16, in: folder, name: "two").answer(Self.prompt)
        #expect(other.cachedTokenCount == 0)
        let back = try await Served(Self.model, .f16, in: folder, name: "one").answer(Self.prompt)
        #expect(back.cachedTokenCount == 256)
    }

    @Test func theFolderKeepsToItsLimit() async throws {
        let measured = try TemporaryFolder()
        _ = try await Served(Self.model, .f16, in: measured).answer(Self.prompt)
        func byteCount(_ folder: TemporaryFolder) throws -> Int {
            try Self.blocks(in: folder).reduce(0) { try $0 + Data(contentsOf: URL(fileURLWithPath: $1)).count }
        }
        let limit = try byteCount(measured)
        let folder = try TemporaryFolder()
        for seed in 1..<6 {
            let served = try Served(Self.model, .f16, in: folder, byteLimit: limit)
            let prompt = SyntheticModel.tokens(300, seed: UInt64(seed))
            let cold = try await Served(Self.model, .f16, in: nil).answer(prompt)
            #expect(try await served.answer(prompt).hasTheBits(of: cold))
            #expect(try byteCount(folder) <= limit)
        }
        #expect(try byteCount(folder) > limit / 2)
    }

    @Test func oneThatLeavesWhileItsBlocksAreReadDisturbsNobody() async throws {
        let folder = try TemporaryFolder()
        let cold = try await Served(Self.model, .f16, in: folder).answer(Self.prompt)
        let served = try Served(Self.model, .f16, in: folder)
        let request = GenerationRequest(prompt: Self.prompt, sampling: .greedy, maximumTokenCount: 5)
        for _ in 0..<20 { _ = try served.engine.submit(request) }
        async let first = served.answer(Self.prompt)
        async let second = served.answer(Self.prompt)
        #expect(try await first.hasTheBits(of: cold))
        #expect(try await second.hasTheBits(of: cold))
        let statistics = served.engine.statistics
        #expect(statistics.availableBlockCount == statistics.blockCount)
    }

    @Test func aFolderThatCannotBeUsedIsAnErrorWithARemedy() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("text", to: "file")
        let error = #expect(throws: ApusError.self) { try PrefixFolder(path: file) }
        #expect(error?.message.hasPrefix(file) == true)
        #expect(throws: ApusError.self) { try PrefixFolder(path: folder.path + "/x", byteLimit: 0) }
        let small = #expect(throws: ApusError.self) { try Served(Self.model, .f16, in: folder, byteLimit: 100) }
        #expect(small?.message.contains("--cache-size") == true)
    }
}
