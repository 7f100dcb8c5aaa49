package import Apus
import ApusCore
import ApusFormats
import ApusNN
import ApusTensor

/// Rounds a model's layers by GPTQ (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
/// Transformers", 2023): each so that what it computes on calibration texts changes least, given that all before it are
/// rounded already.
///
/// Half a layer at a time: the texts, as the rounded layers leave them, are read once to sum up the inputs' products, the
/// half's matrices are rounded, and the texts are taken through what they became. Columns go in the order of their
/// inputs' sums of squares, the largest first, over grids that are fixed before ("act-order" with "static groups"), so the
/// result is an ordinary file. Not thread-safe.
package final class GPTQ {
    /// How far it is.
    package struct Progress: Sendable {
        /// Halves of layers that are done, and how many there are.
        package let half: Int, halfCount: Int
        /// The text that is read, and how many there are; both readings of a half count.
        package let text: Int, textCount: Int

        /// The share of the texts read.
        package var share: Double { (Double(half) + Double(text) / Double(textCount)) / Double(halfCount) }
    }

    /// Matrices that were rounded to nearest because no damping made their inputs' products positive definite.
    package private(set) var notCompensated: [String] = []
    /// What rounding changes of the calibration texts, summed up over all matrices: the squared distance of outputs, here and
    /// with every weight rounded to nearest.
    package private(set) var loss = (compensated: 0.0, nearest: 0.0)

    private let model: LoadedModel
    private let run: LayerwiseRun
    private let items: [String: Quantizer.Item]
    private let textCount: Int
    private let longestText: Int
    private let progress: (Progress) -> Void
    private var nextHalf = 0
    /// What is rounded and not yet fetched.
    private var encoded: [String: [UInt8]] = [:]

    /// Takes a model and texts.
    /// - Parameters:
    ///   - model: loaded with F32 matrices, for this alone: its weights change.
    ///   - items: the tensors and the types they get.
    ///   - texts: token ids; none longer than the model's context.
    /// - Throws: `ApusError`: `unsupported` for types without a grid or a source without floats, `outOfMemory`.
    package init(
        _ model: LoadedModel,
        items: [Quantizer.Item],
        texts: [[Int32]],
        progress: @escaping (Progress) -> Void
    ) throws {
        guard let layerwise = model.model as? any LayerwiseModel else {
            throw ApusError(.unsupported, "\(model.file.path): GPTQ expects a model made of layers, found another")
        }
        self.model = model
        self.items = Dictionary(items.map { ($0.tensor.name, $0) }) { first, _ in first }
        self.progress = progress
        textCount = texts.count
        longestText = texts.map(\.count).max() ?? 0
        for matrix in layerwise.layers.flatMap(\.matrices) where matrix.type != .f32 {
            throw ApusError(
                .unsupported,
                "\(model.file.path): tensor \(matrix.name): GPTQ expects weights of 16 or 32 bits, found \(matrix.type): write "
                    + "such a file first (apus quantize … --type f16)"
            )
        }
        run = try LayerwiseRun(layerwise, texts: texts, compute: model.compute)
    }

    /// The bytes of a matrix of the layers; nil for other tensors.
    /// - Parameter present: what an earlier run left of a tensor.
    /// - Throws: `ApusError` (`malformedFile`) for inputs or weights that are no finite numbers; `CancellationError`.
    func bytes(of name: String, present: (String) throws -> [UInt8]?) throws -> [UInt8]? {
        guard halves.contains(where: { $0.groups.joined().contains { $0.name == name } }) else { return nil }
        while encoded[name] == nil, nextHalf < halves.count { try roundNextHalf(present) }
        return encoded.removeValue(forKey: name)
    }

    private typealias Half = (layer: Int, half: LayerHalf, groups: [[PackedMatrix]])

    private lazy var halves: [Half] = run.model.layers.enumerated().flatMap { index, layer in
        LayerHalf.allCases.map { (index, $0, layer.matrices(of: $0)) }
    }

    private func roundNextHalf(_ present: (String) throws -> [UInt8]?) throws {
        let half = halves[nextHalf]
        let isLast = nextHalf == halves.count - 1
        let left = try half.groups.joined().reduce(into: [:]) { $0[$1.name] = try present($1.name) }
        if left.count == half.groups.joined().count {
            for matrix in half.groups.joined() { if let bytes = left[matrix.name] { try replace(matrix, by: bytes) } }
        } else {
            try roundMatrices(of: half)
        }
        if !isLast { try read(half, pass: 1) }
        nextHalf += 1
    }

    /// Reads the texts through a half: in pass 0 to see its inputs, in pass 1 to move on.
    private func read(_ half: Half, pass: Int, observer: (any StepObserver)? = nil) throws {
        try run.run(half.half, layer: half.layer, observer: observer, movesOn: pass == 1) { text in
            progress(
                Progress(
                    half: nextHalf,
                    halfCount: halves.count,
                    text: pass * textCount + text,
                    textCount: 2 * textCount
                )
            )
        }
    }

    private func roundMatrices(of half: Half) throws {
        let collector = try HessianCollector(half.groups, rowCapacity: longestText, compute: model.compute)
        try read(half, pass: 0, observer: collector)
        for (matrices, hessian) in collector.groups {
            let rounding = try MatrixRounding(
                hessian,
                name: matrices[0].name,
                path: model.file.path,
                compute: model.compute
            )
            for matrix in matrices {
                guard let item = items[matrix.name] else { continue }
                let result = try rounding.round(item)
                if rounding.isCompensating {
                    loss.compensated += result.loss
                    loss.nearest += result.nearestLoss
                } else {
                    notCompensated.append(matrix.name)
                }
                try replace(matrix, by: result.bytes)
                encoded[matrix.name] = result.bytes
            }
        }
    }

    /// Gives the model a matrix as the file has it.
    private func replace(_ matrix: PackedMatrix, by bytes: [UInt8]) throws {
        guard let item = items[matrix.name] else { return }
        let arena = try Arena(name: "weights", byteCount: matrix.multiplyAddCount * MemoryLayout<Float>.stride)
        defer { withExtendedLifetime(arena) {} }
        let rows = arena.allocateRows(matrix.outputCount, width: matrix.inputCount)
        rows.decode(bytes, as: item.type)
        matrix.replace(with: rows, order: item.tensor.sourceRow)
    }
}
