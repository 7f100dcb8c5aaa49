package import Apus
import ApusCore
import ApusNN
import ApusTensor

/// How much each input of a model's matrices matters on a text: the sums of their squares over all of it.
///
/// The text is cut up as for perplexity (`ScoredText`), as llama.cpp's imatrix does, but every position counts. Sums are of
/// doubles in the order of the positions, so neither threads nor steps change a bit. Matrices of the layers only: the
/// output matrix is left out, as llama.cpp leaves it out, and none reads the embedding.
package struct ImportanceCollector {
    private let text: ScoredText
    private var reader: ChunkReader
    private let sums = InputSquares()
    private let path: String

    /// How many whole chunks the text has.
    package var chunkCount: Int { text.chunkCount }
    /// Positions summed up so far.
    package private(set) var rowCount = 0

    /// Prepares the collection.
    /// - Throws: `ApusError` (`invalidArgument`) if the text has no whole chunk.
    package init(_ model: LoadedModel, text: [UInt8], contextLength: Int) throws {
        self.text = try ScoredText(text, for: model, contextLength: contextLength)
        reader = try ChunkReader(model, contextLength: contextLength, kvType: .f16)
        reader.observer = sums
        path = model.file.path
    }

    /// Adds one chunk.
    /// - Throws: `ApusError` (`malformedFile`) if a sum is no finite number, naming the matrix: then nothing collected counts.
    package mutating func add(chunk: Int) throws {
        let tokens = text.chunk(chunk)
        for first in stride(from: 0, to: tokens.count, by: ChunkReader.rowCount) {
            // The last layer computes rows whose logits are wanted, so all are.
            let positions = first..<min(first + ChunkReader.rowCount, tokens.count)
            reader.run(tokens, positions: positions, wantsLogits: true)
        }
        rowCount += tokens.count
        if let name = sums.firstWithoutFiniteSum {
            throw ApusError(
                .malformedFile,
                "\(path): chunk \(chunk + 1): expected inputs of \(name) whose squares have a finite sum, found others: "
                    + "check the file with apus eval perplexity"
            )
        }
    }

    /// The sums of each matrix, by its name: one a column.
    package var sumsByName: [String: [Float]] { sums.byName }
}

/// Sums of squares of what matrices read; those that read the same share them.
private final class InputSquares: StepObserver {
    private var indices: [String: Int] = [:]
    private var groups: [(names: [String], sums: [Double])] = []

    func matrices(_ matrices: [PackedMatrix], read rows: FloatRows) {
        guard let name = matrices.first?.name, name.hasPrefix("blk.") else { return }
        let index = indices[name] ?? groups.count
        if index == groups.count {
            indices[name] = index
            groups.append((matrices.map(\.name), [Double](repeating: 0, count: rows.width)))
        }
        for row in 0..<rows.rowCount {
            rows.withRow(row) { Self.add($0.span, to: &groups[index].sums) }
        }
    }

    private static func add(_ row: Span<Float>, to sums: inout [Double]) {
        for column in row.indices {
            let value = Double(row[column])
            sums[column] += value * value
        }
    }

    var firstWithoutFiniteSum: String? {
        groups.first { $0.sums.contains { !Float($0).isFinite } }?.names.first
    }

    var byName: [String: [Float]] {
        var found: [String: [Float]] = [:]
        for group in groups {
            let sums = group.sums.map { Float($0) }
            for name in group.names { found[name] = sums }
        }
        return found
    }
}
