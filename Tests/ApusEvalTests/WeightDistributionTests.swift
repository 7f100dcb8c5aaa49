import Apus
import ApusCore
import ApusEval
import ApusFormats
import ApusTestSupport
import Foundation
import Testing

struct WeightDistributionTests {
    /// A matrix that numpy and scipy measured: tools/fixtures/distribution.py.
    private static func matrix() throws -> (fixture: JSONValue, weights: [Float], width: Int) {
        let fixture = try JSONValue(parsing: MappedFile(path: Fixture.path("eval/distribution.json")).bytes)
        let weights = try fixture.member("weights").elements().map { Float(try $0.double()) }
        return (fixture, weights, try fixture.member("width").integer())
    }

    private static func distribution(of weights: [Float], width: Int) -> WeightDistribution {
        var distribution = WeightDistribution()
        for first in stride(from: 0, to: weights.count, by: width) {
            distribution.add(row: weights.span.extracting(first..<first + width))
        }
        return distribution
    }

    @Test func everyFigureIsThatOfSciPy() throws {
        let (fixture, weights, width) = try Self.matrix()
        let found = Self.distribution(of: weights, width: width)
        #expect(found.count == weights.count && weights.count == 24 * 72)
        #expect(try found.outlierCount == fixture.member("outlierCount").integer())
        let figures = [
            ("mean", found.mean), ("standardDeviation", found.standardDeviation),
            ("excessKurtosis", found.excessKurtosis), ("meanPeak", found.meanPeak), ("largestPeak", found.largestPeak),
            ("rowError", found.rowError), ("groupError", found.groupError),
        ]
        for (name, value) in figures {
            let expected = try fixture.member(name).double()
            #expect(abs(value - expected) <= 1e-9 * max(1, abs(expected)), "\(name): \(value), \(expected)")
        }
    }

    @Test func partsAddUpToTheWhole() throws {
        let (_, weights, width) = try Self.matrix()
        let whole = Self.distribution(of: weights, width: width)
        var sum = Self.distribution(of: Array(weights[..<(7 * width)]), width: width)
        sum.add(Self.distribution(of: Array(weights[(7 * width)...]), width: width))
        #expect(sum.count == whole.count && sum.outlierCount == whole.outlierCount)
        #expect(sum.largestPeak == whole.largestPeak)
        #expect(abs(sum.rowError - whole.rowError) < 1e-12 && abs(sum.excessKurtosis - whole.excessKurtosis) < 1e-9)
    }

    @Test func whatTheGridHoldsIsNotChanged() {
        let row = (0..<64).map { Float($0 % 15 - 7) * 0.25 }
        let found = Self.distribution(of: row, width: 64)
        #expect(found.rowError == 0 && found.groupError == 0)
        // A far weight costs its row the other fifteen levels, but only its own group of 32 where each has a scale.
        var spoiled = row
        spoiled[0] = 1000
        let harmed = Self.distribution(of: spoiled, width: 64)
        #expect(harmed.outlierCount == 1 && harmed.rowError > harmed.groupError && harmed.groupError > 0)
    }

    @Test func zerosHaveNoShape() {
        let found = Self.distribution(of: [Float](repeating: 0, count: 96), width: 32)
        #expect(found.count == 96 && found.standardDeviation == 0 && found.largestPeak == 0)
        #expect(found.rowError == 0 && found.groupError == 0 && found.outlierCount == 0)
        #expect(found.excessKurtosis.isNaN && found.meanPeak.isNaN)
    }

    /// A model of a layer, all of whose weights are what `change` makes of their bytes.
    private static func model(_ change: (inout Data) -> Void) throws -> (folder: TemporaryFolder, file: ModelFile) {
        let folder = try TemporaryFolder()
        for name in ["config.json", "model.safetensors"] {
            var data = try Data(contentsOf: URL(filePath: Fixture.path("models/llama/\(name)")))
            if name.hasSuffix("safetensors") { change(&data) }
            try data.write(to: URL(filePath: "\(folder.path)/\(name)"))
        }
        return (folder, try ModelFile(path: folder.path))
    }

    @Test func aFoldersMatricesAreMeasured() async throws {
        let (folder, file) = try Self.model { _ in }
        defer { withExtendedLifetime(folder) {} }
        var shares: [Int] = []
        let found = try await MatrixDistribution.all(of: file) { done, total in
            #expect(done < total)
            shares.append(done)
        }
        #expect(shares == shares.sorted() && shares.count == found.count && found.count > 7)
        #expect(found.allSatisfy { $0.weights.count > 0 && $0.weights.rowError > 0 })
    }

    @Test func weightsThatAreNoNumbersAreRefused() async throws {
        let (folder, file) = try Self.model { data in
            let headerLength = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            data.replaceSubrange(
                (8 + headerLength)...,
                with: Data(repeating: 0xFF, count: data.count - 8 - headerLength)
            )
        }
        defer { withExtendedLifetime(folder) {} }
        let error = await #expect(throws: ApusError.self) {
            _ = try await MatrixDistribution.all(of: file) { _, _ in }
        }
        #expect(error?.code == .malformedFile)
        #expect(error?.message.contains("expected finite numbers, found NaN or an infinity") == true)
    }
}
