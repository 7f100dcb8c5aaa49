import ApusCore

extension TensorInfo {
    private static let safetensorsTypes: [String: ElementType] = ["F32": .f32, "F16": .f16, "BF16": .bf16]

    /// Reads a tensor's entry in a safetensors header and checks it against the data section.
    init(name: String, safetensors entry: JSONValue, data: FileBytes) throws {
        let field = "tensor \(name.quotedForMessage)"
        let path = data.file.path
        let dtype = try entry.member("dtype").string()
        guard let type = Self.safetensorsTypes[dtype] else {
            throw ApusError(
                .unsupported,
                "\(path): \(field) dtype: expected one of BF16, F16, F32, found \(dtype.quotedForMessage)"
            )
        }
        let shape = try Self.shape(safetensors: try entry.member("shape"))
        guard let byteCount = Self.byteCount(type: type, shape: shape) else {
            throw ApusError.malformed(path, "\(field) shape", expected: "a size below 2^63 bytes", found: "\(shape)")
        }
        let offsets = try entry.member("data_offsets")
        let bounds = try offsets.elements().prefix(3).map { try $0.integer() }
        guard bounds.count == 2, bounds[0] >= 0, bounds[0] <= bounds[1] else {
            throw offsets.malformed(expected: "[begin, end] with 0 <= begin <= end")
        }
        guard bounds[1] - bounds[0] == byteCount else {
            throw ApusError.malformed(
                path,
                "\(field) data_offsets",
                expected: "\(byteCount) bytes (\(type), innermost first \(shape))",
                found: "\(bounds[1] - bounds[0])"
            )
        }
        guard let bytes = data.slice(offset: bounds[0], count: byteCount) else {
            throw ApusError.malformed(
                path,
                "\(field) data_offsets",
                expected: "a range inside the \(data.count) bytes of tensor data",
                found: "\(bounds[0]) to \(bounds[1])"
            )
        }
        self.init(name: name, type: type, shape: shape, bytes: bytes)
    }

    /// The extents, which the header lists outermost first, in this type's order.
    private static func shape(safetensors value: JSONValue) throws -> [Int] {
        let extents = try value.elements()
        guard extents.count <= maximumDimensionCount else {
            throw value.malformed(expected: "at most \(maximumDimensionCount) dimensions")
        }
        let outermostFirst = try extents.map { extent in
            let count = try extent.integer()
            guard count >= 1 else { throw extent.malformed(expected: "an extent of at least 1") }
            return count
        }
        return outermostFirst.reversed()
    }
}
