import Apus
import ApusCore
import ApusEval
import ApusFormats
import ApusTestSupport
import Testing

/// A random model and what numpy finds its matrices read, in float64: tools/fixtures/importance.py.
struct ImportanceCollectorTests {
    private static func expected() throws -> JSONValue {
        try JSONValue(parsing: MappedFile(path: Fixture.path("importance/collected.json")).bytes)
    }

    private func collected(threads: Int = 2, context: Int? = nil) throws -> ImportanceCollector {
        let expected = try Self.expected()
        let context = try context ?? expected.member("context").integer()
        let model = try LoadedModel(
            path: Fixture.path("importance/model.gguf"),
            options: ModelOptions(threadCount: threads, contextLength: context)
        )
        let text = try Array(expected.member("text").string().utf8)
        var collector = try ImportanceCollector(model, text: text, contextLength: context)
        for chunk in 0..<collector.chunkCount { try collector.add(chunk: chunk) }
        return collector
    }

    @Test func sumsAreThoseOfTheFormulas() throws {
        let expected = try Self.expected()
        let collector = try collected()
        #expect(try collector.chunkCount == expected.member("chunks").integer())
        #expect(collector.rowCount == 32)
        let found = collector.sumsByName
        #expect(found.count == 14)
        for (name, sums) in found {
            let wanted = try expected.member("sums").member(name).elements().map { try $0.double() }
            #expect(sums.count == wanted.count)
            // Keys and values are kept in 16 bits: that is what the bound leaves room for. Nothing lies before the first ones.
            let isFirst = name.hasPrefix("blk.0.attn_") && !name.contains("output")
            for (sum, value) in zip(sums, wanted) {
                #expect(abs(Double(sum) - value) <= (isFirst ? 1e-6 : 3e-3) * value, "\(name)")
            }
        }
    }

    @Test func threadsChangeNoBit() throws {
        #expect(try collected(threads: 1).sumsByName == collected(threads: 2).sumsByName)
    }

    @Test func aTextWithoutAWholeChunkIsRefused() throws {
        let error = #expect(throws: ApusError.self) { _ = try collected(context: 64) }
        #expect(error?.message.contains("fewer than one chunk of 64") == true)
    }

    @Test func inputsTooLargeToSumUpAreRefusedByName() throws {
        let source = try GGUFFile(path: Fixture.path("importance/model.gguf"))
        let values = try #require(source.tensor(named: "blk.0.attn_v.weight")).bytes
        var bytes = values.file.withUnsafeBytes { Array($0) }
        // Finite weights, so the model loads; what the next matrix reads has no square that a float holds.
        for place in stride(from: values.offset, to: values.offset + values.count, by: 4) {
            withUnsafeBytes(of: Float(1e25).bitPattern.littleEndian) {
                bytes.replaceSubrange(place..<place + 4, with: $0)
            }
        }
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes, to: "large.gguf")
        let model = try LoadedModel(path: path, options: ModelOptions(threadCount: 1, contextLength: 16))
        let text = try Array(Self.expected().member("text").string().utf8)
        var collector = try ImportanceCollector(model, text: text, contextLength: 16)
        let error = #expect(throws: ApusError.self) { try collector.add(chunk: 0) }
        #expect(error?.message.contains("blk.0.attn_output.weight") == true && error?.message.contains(path) == true)
    }
}
