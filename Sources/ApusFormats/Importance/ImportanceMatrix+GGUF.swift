import ApusCore

extension ImportanceMatrix {
    private static let type = "imatrix"
    private static let typeKey = "general.type"
    private static let datasetsKey = "imatrix.datasets"
    private static let chunkCountKey = "imatrix.chunk_count"
    private static let chunkLengthKey = "imatrix.chunk_size"
    private static let sumsSuffix = ".in_sum2"
    private static let countsSuffix = ".counts"

    /// Reads llama.cpp's GGUF form; tensors with other names than its own are left alone.
    init(gguf file: GGUFFile) throws {
        let path = file.paths.first ?? ""
        let type = try file.metadata.stringIfPresent(Self.typeKey)
        guard type == Self.type else {
            throw ApusError.malformed(
                path,
                Self.typeKey,
                expected: "\"\(Self.type)\": an importance matrix (apus imatrix makes one)",
                found: type?.quotedForMessage ?? "nothing"
            )
        }
        var entries: [String: Entry] = [:]
        for tensor in file.tensors {
            if tensor.name.hasSuffix(Self.countsSuffix) {
                let name = String(tensor.name.dropLast(Self.countsSuffix.count))
                _ = try Self.partner(of: tensor, named: name + Self.sumsSuffix, in: file)
            } else if tensor.name.hasSuffix(Self.sumsSuffix) {
                let name = String(tensor.name.dropLast(Self.sumsSuffix.count))
                let counts = try Self.partner(of: tensor, named: name + Self.countsSuffix, in: file)
                entries[name] = try Entry(sums: tensor.bytes, counts: counts.bytes.floats, name: name)
            }
        }
        let datasets = try file.metadata.stringsIfPresent(Self.datasetsKey).map { $0.map { $0.text ?? "" } }
        try self.init(
            path: path,
            entries: entries,
            datasets: datasets ?? [],
            chunkCount: file.metadata.integerIfPresent(Self.chunkCountKey)
        )
    }

    /// The other tensor of an entry; both hold 32-bit floats.
    private static func partner(of tensor: TensorInfo, named name: String, in file: GGUFFile) throws -> TensorInfo {
        let field = "tensor \(tensor.name.quotedForMessage)"
        guard let partner = file.tensor(named: name) else {
            throw ApusError.malformed(
                file.paths[0],
                field,
                expected: "a tensor \(name.quotedForMessage) beside it",
                found: "none"
            )
        }
        for tensor in [tensor, partner] where tensor.type != .f32 {
            let field = "tensor \(tensor.name.quotedForMessage)"
            throw ApusError.malformed(file.paths[0], field, expected: "type F32", found: "\(tensor.type)")
        }
        return partner
    }

    /// A file of one matrix a tensor, in llama.cpp's GGUF form, tensors in the order of their names.
    /// - Parameters:
    ///   - sums: by the tensor's name, the sum of squares of each column's input.
    ///   - rowCount: how many inputs were summed.
    ///   - dataset: the name of the text.
    ///   - chunkCount: its chunks.
    ///   - chunkLength: tokens of a chunk.
    /// - Throws: `ApusError` (`invalidArgument`) for a tensor without columns.
    package static func file(
        sums: [String: [Float]],
        rowCount: Int,
        dataset: String,
        chunkCount: Int,
        chunkLength: Int
    ) throws -> [UInt8] {
        var tensors: [GGUFHeader.Tensor] = []
        var data: [[Float]] = []
        for (name, columns) in sums.sorted(by: { $0.key < $1.key }) {
            tensors.append(try .init(name: name + sumsSuffix, type: .f32, shape: [columns.count, 1]))
            tensors.append(try .init(name: name + countsSuffix, type: .f32, shape: [1, 1]))
            data += [columns, [Float(rowCount)]]
        }
        let header = GGUFHeader(
            fields: [
                (typeKey, .string(type)), (datasetsKey, .strings([dataset])),
                (chunkCountKey, .uint32(UInt32(clamping: chunkCount))),
                (chunkLengthKey, .uint32(UInt32(clamping: chunkLength))),
            ],
            tensors: tensors
        )
        var bytes = header.bytes
        for (tensor, values) in zip(tensors, data) {
            for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 } }
            bytes += [UInt8](repeating: 0, count: tensor.paddedByteCount - tensor.byteCount)
        }
        return bytes
    }
}
