package import ApusCore
package import ApusFormats
package import ApusTensor

/// Writes a model with its tensors in other types.
///
/// What is to be written is fixed at the start, so a run that was interrupted is taken up where it stopped. Memory is bounded
/// by a few megabytes of a tensor, whatever its size.
package struct Quantizer {
    /// A tensor and the type it gets.
    package struct Item: Sendable {
        package let tensor: ConversionSource.Tensor
        package let type: ElementType

        /// Bytes in the file that is written.
        var byteCount: Int {
            (type.byteCount(elementCount: tensor.shape.first ?? 1) ?? 0) * tensor.shape.dropFirst().reduce(1, *)
        }
    }

    /// The tensors in file order.
    package let items: [Item]
    /// Whether weights are rounded that were rounded before.
    package let isSourceQuantized: Bool
    private let path: String
    private let importance: ImportanceMatrix?
    private var header: GGUFHeader

    /// Lays out the file.
    /// - Parameters:
    ///   - source: the model.
    ///   - type: what matrices get.
    ///   - rules: exceptions; the last that matches counts.
    ///   - importance: what weighs the errors; nil if all count the same.
    ///   - record: what the file says of its making.
    /// - Throws: `ApusError` (`invalidArgument`) for a rule that matches nothing or asks for what a tensor's rows cannot be,
    ///   and for an importance matrix of another model.
    package init(
        _ source: ConversionSource,
        to type: QuantizationType,
        rules: [TensorRule],
        importance: ImportanceMatrix? = nil,
        record: FidelityRecord
    ) throws {
        path = source.path
        self.importance = importance
        let model = QuantizationType.Model(
            layerCount: source.layerCount,
            queryHeadsPerKeyValueHead: source.queryHeadsPerKeyValueHead,
            hasOutput: source.tensors.contains { $0.name == "output.weight" },
            hasImportance: importance != nil
        )
        let matrices = source.tensors.filter { $0.shape.count >= 2 }
        if let idle = rules.first(where: { rule in !matrices.contains { rule.matches($0.name) } }) {
            throw ApusError(
                .invalidArgument,
                "--tensor \(idle.pattern): expected a pattern of matrices' names, found none that matches "
                    + "(apus show --tensors lists them)"
            )
        }
        items = source.tensors.map { tensor in
            let rule = tensor.shape.count >= 2 ? rules.last { $0.matches(tensor.name) } : nil
            let type = rule?.type ?? type.type(of: tensor.name, shape: tensor.shape, in: model)
            return Item(tensor: tensor, type: type ?? tensor.type)
        }
        try importance?.check(items)
        isSourceQuantized = items.contains { $0.tensor.type.isQuantized && $0.tensor.type != $0.type }
        var fields = source.fields
        fields.append(("general.file_type", .uint32(type.fileType)))
        fields.append(("general.quantization_version", .uint32(2)))
        fields += record.fields(type: type)
        header = GGUFHeader(
            fields: fields,
            tensors: try items.map { try .init(name: $0.tensor.name, type: $0.type, shape: $0.tensor.shape) }
        )
    }

    /// Bytes of the file to be written.
    package var byteCount: Int { header.bytes.count + header.dataByteCount }

    /// Writes everything to a part file, going on behind the last tensor that an earlier run left whole.
    /// - Parameters:
    ///   - part: the file.
    ///   - gptq: what rounds the matrices of the layers; nil rounds every weight to nearest.
    ///   - progress: called with the bytes of the file that are there.
    /// - Throws: `ApusError` naming the tensor with weights that are no finite numbers, or the disk's fault;
    ///   `CancellationError` if the task was cancelled: what is there by then stays for the next run.
    package func write(
        to part: PartFile,
        gptq: GPTQ? = nil,
        compute: Compute,
        progress: (Int) -> Void
    ) throws {
        let start = header.bytes.count
        let present = try part.resume(after: header.bytes) - start
        let ends = zip(header.offsets, header.tensors).map { $0 + $1.paddedByteCount }
        let doneCount = ends.firstIndex { $0 > present } ?? ends.count
        try part.truncate(to: start + (doneCount > 0 ? ends[doneCount - 1] : 0))
        progress(part.byteCount)
        let done = Dictionary(zip(items, header.offsets).prefix(doneCount).map { ($0.tensor.name, ($0, $1)) }) { $1 }
        for (item, end) in zip(items, ends).dropFirst(doneCount) {
            let rounded = try gptq?.bytes(of: item.tensor.name) { name in
                guard let (item, offset) = done[name] else { return nil }
                return try part.bytes(at: start + offset, count: item.byteCount)
            }
            if let rounded {
                try part.append(rounded)
                progress(part.byteCount)
            } else {
                try write(item, to: part, compute: compute, progress: progress)
            }
            try part.append([UInt8](repeating: 0, count: start + end - part.byteCount))
        }
        try part.synchronize()
    }

    /// Fills in what was measured.
    package mutating func set(_ measures: FidelityRecord.Measures, in part: PartFile) throws {
        for (name, value) in measures { header.set(FidelityRecord.key(of: name), value) }
        try part.replaceStart(with: header.bytes)
    }

    /// Elements that are converted at once, about.
    private static let stretchLength = 1 << 20

    private func write(_ item: Item, to part: PartFile, compute: Compute, progress: (Int) -> Void) throws {
        let tensor = item.tensor
        let conversion = try ElementConversion(
            from: tensor.type,
            to: item.type,
            rowLength: tensor.shape.first ?? 1,
            importance: item.type.isQuantized ? importance?.weights(of: tensor.name) ?? [] : []
        )
        let stretch = max(1, Self.stretchLength / conversion.unitLength) * conversion.storedUnitByteCount
        for offset in stride(from: 0, to: tensor.byteCount, by: stretch) {
            try Task.checkCancellation()
            let range = offset..<min(offset + stretch, tensor.byteCount)
            do {
                let first = offset / conversion.storedUnitByteCount * conversion.unitLength
                let converted = try tensor.withBytes(range) {
                    try conversion.convert($0, from: first, compute: compute)
                }
                try part.append(converted)
            } catch let error as ApusError where error.code == .malformedFile {
                throw ApusError(.malformedFile, "\(path): tensor \(tensor.name): \(error.message)")
            }
            tensor.release(range)
            progress(part.byteCount)
        }
    }
}
