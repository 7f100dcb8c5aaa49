package import ApusCore
package import ApusFormats
import ApusNN
package import ApusTensor

/// Turns a file's tensors into the weights a model computes with, checking every shape.
///
/// Errors name file, tensor, expected and found shape. Used by one task at a time.
package final class WeightLoader {
    package let arena: Arena
    private let compute: Compute
    private let tensors: any TensorSource
    private let quantization: ElementType?
    /// The kinds of input the loaded matrices read.
    package private(set) var inputs = MatrixInputs()
    /// Called after each tensor with the share of bytes done.
    private let progress: (Double) -> Void
    private let totalByteCount: Int
    private var loadedByteCount = 0
    /// Vectors that have no values yet: writing them would make a huge page of the arena resident for each.
    private var waitingVectors: [(vector: Vector, values: [Float])] = []
    /// Matrices whose weights are still in the file.
    private var waiting: [(tensor: TensorInfo, matrix: UnpackedMatrix)] = []

    /// - Parameters:
    ///   - quantization: what float matrices are rounded to while loading; nil keeps them as stored.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(
        tensors: any TensorSource,
        quantization: ElementType?,
        compute: Compute,
        progress: @escaping (Double) -> Void
    ) throws {
        self.tensors = tensors
        self.quantization = quantization
        self.compute = compute
        self.progress = progress
        totalByteCount = max(1, tensors.all.reduce(0) { $0 &+ $1.bytes.count })
        let size = tensors.all.reduce(0) { total, tensor in
            total + Self.heldByteCount(of: tensor, quantization: quantization, kernels: compute.kernels)
        }
        arena = try Arena(name: "weights", byteCount: size)
    }

    /// Bytes a tensor takes once loaded: packed if it is a matrix, floats otherwise.
    package static func heldByteCount(of tensor: TensorInfo, quantization: ElementType?, kernels: KernelTable) -> Int {
        guard tensor.shape.count == 2 else { return Arena.roundedUp(tensor.elementCount * MemoryLayout<Float>.stride) }
        let type = heldType(of: tensor, quantization: quantization)
        return PackedMatrix.byteCount(type: type, outputs: tensor.shape[1], inputs: tensor.shape[0], kernels: kernels)
    }

    /// The type a matrix is held in: `quantization` for float matrices, in its 32-element form where rows are no
    /// multiple of 256, and as stored where they are no multiple of 32.
    package static func heldType(of tensor: TensorInfo, quantization: ElementType?) -> ElementType {
        guard let quantization, !tensor.type.isQuantized, let inputs = tensor.shape.first else {
            return tensor.type
        }
        return quantization.fitting(rowLength: inputs) ?? tensor.type
    }

    /// Whether the file has a tensor.
    package func has(_ name: String) -> Bool { tensors.tensor(named: name) != nil }

    /// Refuses a file without a tensor that is otherwise taken as it comes.
    package func require(_ name: String) throws {
        if !has(name) { throw missing(name) }
    }

    /// The matrix `name`: `outputs` rows of `inputs` elements; `packWeights` reads its weights.
    package func matrix(_ name: String, outputs: Int, inputs: Int) throws -> PackedMatrix {
        let tensor = try tensor(name, shape: [inputs, outputs])
        let type = Self.heldType(of: tensor, quantization: quantization)
        self.inputs.add(type: type, inputs: inputs)
        return try naming(tensor) {
            let unpacked = try UnpackedMatrix(
                name: name,
                tensor.bytes,
                stored: tensor.type,
                as: type,
                outputs: outputs,
                inputs: inputs,
                arena: arena,
                kernels: compute.kernels
            )
            waiting.append((tensor, unpacked))
            return unpacked.matrix
        }
    }

    /// Puts the weights of all matrices and vectors asked for so far into their places.
    /// - Throws: `ApusError` (`malformedFile`) naming the tensor with a scale or number that is not finite.
    package func packWeights() throws {
        for (tensor, matrix) in waiting { try naming(tensor) { try matrix.checkFinite(compute) } }
        for (tensor, matrix) in waiting {
            matrix.pack(compute)
            advance(by: tensor)
        }
        for (vector, values) in waitingVectors { vector.fill(values) }
        waitingVectors.removeAll()
        waiting.removeAll()
    }

    /// The vector `name` of `count` floats, each increased by `offset`; `packWeights` puts them in.
    package func vector(_ name: String, count: Int, offset: Float = 0) throws -> Vector {
        let tensor = try tensor(name, shape: [count])
        defer { advance(by: tensor) }
        let values = try finiteValues(of: tensor)
        let vector = Vector(count: count, arena: arena)
        waitingVectors.append((vector, offset == 0 ? values : values.map { $0 + offset }))
        return vector
    }

    /// The vector `name`, or nil if the file has none.
    package func vectorIfPresent(_ name: String, count: Int) throws -> Vector? {
        has(name) ? try vector(name, count: count) : nil
    }

    /// The frequency factors `name`, positive numbers; nil if the file has none.
    package func factorsIfPresent(_ name: String, count: Int) throws -> [Float]? {
        guard has(name) else { return nil }
        let tensor = try tensor(name, shape: [count])
        let values = try finiteValues(of: tensor)
        guard let wrong = values.first(where: { $0 <= 0 }) else { return values }
        throw malformed(tensor, "expected positive numbers, found \(wrong)")
    }

    private func finiteValues(of tensor: TensorInfo) throws -> [Float] {
        let values = try naming(tensor) { try ElementCodec.decode(tensor.bytes, as: tensor.type) }
        guard let wrong = values.first(where: { !$0.isFinite }) else { return values }
        throw malformed(tensor, "expected finite numbers, found \(wrong)")
    }

    /// Puts file and tensor before the message of an error that names neither.
    private func naming<Result>(_ tensor: TensorInfo, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ApusError {
            throw ApusError(error.code, "\(path(of: tensor)): tensor \(tensor.name): \(error.message)")
        }
    }

    private func malformed(_ tensor: TensorInfo, _ message: String) -> ApusError {
        ApusError(.malformedFile, "\(path(of: tensor)): tensor \(tensor.name): \(message)")
    }

    /// The embedding and the output layer, which share their weights where the file has no output matrix.
    package func embeddingAndOutput(
        hiddenSize: Int,
        isTied: Bool
    ) throws -> (embedding: EmbeddingTable, output: PackedMatrix) {
        let name = "token_embd.weight"
        guard let tensor = tensors.tensor(named: name) else { throw missing(name) }
        guard tensor.shape.count == 2, tensor.shape[0] == hiddenSize else {
            throw wrongShape(tensor, expected: "\(hiddenSize) x vocabulary")
        }
        let vocabularySize = tensor.shape[1]
        guard has("output.weight"), !isTied else {
            let matrix = try matrix(name, outputs: vocabularySize, inputs: hiddenSize)
            return (EmbeddingTable(tiedTo: matrix), matrix)
        }
        let output = try matrix("output.weight", outputs: vocabularySize, inputs: hiddenSize)
        let table = try EmbeddingTable(tensor.bytes, type: tensor.type, rowCount: vocabularySize, width: hiddenSize)
        return (table, output)
    }

    private func tensor(_ name: String, shape: [Int]) throws -> TensorInfo {
        guard let tensor = tensors.tensor(named: name) else { throw missing(name) }
        guard tensor.shape == shape else {
            throw wrongShape(tensor, expected: shape.map(String.init).joined(separator: " x "))
        }
        return tensor
    }

    private func missing(_ name: String) -> ApusError {
        ApusError(.malformedFile, "\(tensors.path): tensor \(tensors.nameInFile(name)) is missing")
    }

    private func wrongShape(_ tensor: TensorInfo, expected: String) -> ApusError {
        let found = tensor.shape.map(String.init).joined(separator: " x ")
        return ApusError(
            .malformedFile,
            "\(path(of: tensor)): tensor \(tensor.name): expected shape \(expected) (innermost first), found \(found)"
        )
    }

    private func path(of tensor: TensorInfo) -> String { tensor.bytes.file.path }

    private func advance(by tensor: TensorInfo) {
        loadedByteCount += tensor.bytes.count
        progress(min(1, Double(loadedByteCount) / Double(totalByteCount)))
    }
}
