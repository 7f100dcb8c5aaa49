import ApusCore

/// What a GGUF file says of a tensor before its data: checked in itself, not yet against the data section.
struct GGUFTensorHeader {
    let name: String
    let type: ElementType
    let shape: [Int]
    let offset: UInt64
    let byteCount: Int

    /// The fewest bytes a header takes: name length, one byte of name, dimension count, one extent, type, offset.
    static let minimumSize = 8 + 1 + 4 + 8 + 4 + 8
    private static let maximumNameLength = 1024

    static func read(_ reader: inout FileReader, count: Int) throws -> [GGUFTensorHeader] {
        var headers: [GGUFTensorHeader] = []
        for index in 0..<count { headers.append(try GGUFTensorHeader(from: &reader, index: index)) }
        return headers
    }

    private init(from reader: inout FileReader, index: Int) throws {
        name = try Self.readName(&reader, index: index)
        let field = "tensor \(name.quotedForMessage)"
        shape = try Self.readShape(&reader, field)
        let typeNumber = try reader.integer(UInt32.self, "\(field) type")
        guard let type = ElementType(rawValue: typeNumber) else {
            let known = ElementType.allCases.map(\.description).joined(separator: ", ")
            let found = GGMLTypeNames.name(of: typeNumber) ?? "\(typeNumber)"
            throw ApusError(.unsupported, "\(reader.path): \(field) type: expected one of \(known), found \(found)")
        }
        self.type = type
        guard shape[0] % type.blockLength == 0 else {
            throw reader.malformed(
                "\(field) shape",
                expected: "rows of a multiple of \(type.blockLength) elements for \(type)",
                found: "\(shape)"
            )
        }
        guard let byteCount = TensorInfo.byteCount(type: type, shape: shape) else {
            throw reader.malformed("\(field) shape", expected: "a size below 2^63 bytes", found: "\(shape)")
        }
        self.byteCount = byteCount
        offset = try reader.integer(UInt64.self, "\(field) offset")
    }

    private static func readName(_ reader: inout FileReader, index: Int) throws -> String {
        let field = "tensor \(index) name"
        let length = try reader.count(minimumSize: 1, "\(field) length")
        guard length >= 1, length <= maximumNameLength else {
            throw reader.malformed("\(field) length", expected: "1 to \(maximumNameLength)", found: "\(length)")
        }
        guard let name = try reader.take(length, field).text else {
            throw reader.malformed(field, expected: "valid UTF-8", found: "\(length) bytes that are not")
        }
        return name
    }

    private static func readShape(_ reader: inout FileReader, _ field: String) throws -> [Int] {
        let count = try reader.integer(UInt32.self, "\(field) dimension count")
        guard count >= 1, count <= TensorInfo.maximumDimensionCount else {
            throw reader.malformed(
                "\(field) dimension count",
                expected: "1 to \(TensorInfo.maximumDimensionCount)",
                found: "\(count)"
            )
        }
        return try (0..<count).map { dimension in
            let extent = try reader.integer(UInt64.self, "\(field) dimension \(dimension)")
            guard extent >= 1, let extent = Int(exactly: extent) else {
                throw reader.malformed(
                    "\(field) dimension \(dimension)",
                    expected: "1 to \(Int.max)",
                    found: "\(extent)"
                )
            }
            return extent
        }
    }
}

extension GGUFTensorHeader {
    /// Checks each tensor's place in the data section, which starts at the next aligned byte after the headers.
    static func locate(
        _ headers: [GGUFTensorHeader],
        _ reader: inout FileReader,
        alignment: Int
    ) throws -> [TensorInfo] {
        guard !headers.isEmpty else { return [] }
        let padding = (alignment - reader.position % alignment) % alignment
        _ = try reader.take(padding, "padding before the tensor data")
        let data = try reader.take(reader.remaining, "tensor data")
        let tensors = try headers.map { header in
            let field = "tensor \(header.name.quotedForMessage) offset"
            guard header.offset % UInt64(alignment) == 0 else {
                throw reader.malformed(field, expected: "a multiple of \(alignment)", found: "\(header.offset)")
            }
            guard let offset = Int(exactly: header.offset),
                let bytes = data.slice(offset: offset, count: header.byteCount)
            else {
                throw reader.malformed(
                    field,
                    expected: "\(header.byteCount) bytes inside the \(data.count) of the data section",
                    found: "\(header.offset)"
                )
            }
            return TensorInfo(name: header.name, type: header.type, shape: header.shape, bytes: bytes)
        }
        try TensorInfo.checkDisjoint(tensors, path: reader.path)
        return tensors
    }
}
