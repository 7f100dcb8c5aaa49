import ApusCore

extension GGUFField {
    /// The fewest bytes a field takes: the key's length, one byte of key, the type and one byte of value.
    static let minimumSize = 8 + 1 + 4 + 1
}

extension GGUFMetadata {
    // The specification's bound on keys.
    private static let maximumKeyLength = 65_535
    // The format nests arrays without bound; no file known uses more than one level.
    private static let maximumArrayDepth = 4
    // Eight times the longest list of merges known; a view of strings keeps four bytes for each.
    private static let maximumArrayCount = 1 << 22

    /// Reads `count` fields, checking everything but the meaning of their values.
    init(from reader: inout FileReader, count: Int) throws {
        var fields: [GGUFField] = []
        var indices: [String: Int] = [:]
        for index in 0..<count {
            let key = try Self.readKey(&reader, index: index)
            guard indices.updateValue(index, forKey: key) == nil else {
                throw reader.malformed(
                    "metadata key \(index)",
                    expected: "unique keys",
                    found: "\(key.quotedForMessage) again"
                )
            }
            fields.append(try Self.readField(&reader, key: key))
        }
        self.init(path: reader.path, fields: fields, indices: indices)
    }

    private static func readKey(_ reader: inout FileReader, index: Int) throws -> String {
        let field = "metadata key \(index)"
        let length = try reader.count(minimumSize: 1, "\(field) length")
        guard length >= 1, length <= maximumKeyLength else {
            throw reader.malformed("\(field) length", expected: "1 to \(maximumKeyLength)", found: "\(length)")
        }
        guard let key = try reader.take(length, field).text else {
            throw reader.malformed(field, expected: "valid UTF-8", found: "\(length) bytes that are not")
        }
        return key
    }

    private static func readField(_ reader: inout FileReader, key: String) throws -> GGUFField {
        let name = "metadata \(key.quotedForMessage)"
        let type = try readType(&reader, name)
        switch type {
        case .array:
            let element = try readType(&reader, "\(name) element")
            let count = try reader.count(
                minimumSize: element.minimumByteCount,
                maximum: maximumArrayCount,
                "\(name) count"
            )
            let start = reader.position
            try skipElements(&reader, type: element, count: count, depth: 1, name)
            let end = reader.position
            try reader.seek(to: start, name)
            let payload = try reader.take(end - start, name)
            return GGUFField(key: key, type: .array, elementType: element, count: count, payload: payload)
        case .string:
            let payload = try reader.take(try reader.count(minimumSize: 1, "\(name) length"), name)
            return GGUFField(key: key, type: type, elementType: nil, count: 1, payload: payload)
        default:
            let payload = try reader.take(type.minimumByteCount, name)
            if type == .bool { try checkBools(payload, reader, name) }
            return GGUFField(key: key, type: type, elementType: nil, count: 1, payload: payload)
        }
    }

    private static func readType(_ reader: inout FileReader, _ field: String) throws -> GGUFValueType {
        let number = try reader.integer(UInt32.self, "\(field) type")
        guard let type = GGUFValueType(rawValue: number) else {
            let known = GGUFValueType.allCases.map { "\($0.rawValue) \($0)" }.joined(separator: ", ")
            throw reader.malformed("\(field) type", expected: "one of \(known)", found: "\(number)")
        }
        return type
    }

    /// Walks over an array's elements; recursion is bounded by `maximumArrayDepth`.
    private static func skipElements(
        _ reader: inout FileReader,
        type: GGUFValueType,
        count: Int,
        depth: Int,
        _ name: String
    ) throws {
        switch type {
        case .array:
            guard depth < maximumArrayDepth else {
                throw reader.malformed(name, expected: "arrays nested at most \(maximumArrayDepth) deep", found: "more")
            }
            for _ in 0..<count {
                let element = try readType(&reader, "\(name) element")
                let inner = try reader.count(minimumSize: element.minimumByteCount, "\(name) inner count")
                try skipElements(&reader, type: element, count: inner, depth: depth + 1, name)
            }
        case .string:
            try skipStrings(&reader, count: count, name)
        default:
            // The count was checked against the bytes left, so the product neither overflows nor runs past the end.
            let payload = try reader.take(count * type.minimumByteCount, name)
            if type == .bool { try checkBools(payload, reader, name) }
        }
    }

    private static func skipStrings(_ reader: inout FileReader, count: Int, _ name: String) throws {
        let start = reader.position
        let end: Int? = reader.bytes.withSpan { span in
            var position = start
            for _ in 0..<count {
                guard let length = span.littleEndian(at: position, as: UInt64.self) else { return nil }
                position += GGUFStringArray.lengthSize
                guard length <= UInt64(span.byteCount - position) else { return nil }
                position += Int(length)
            }
            return position
        }
        guard let end else {
            throw reader.malformed(
                name,
                expected: "\(count) strings inside the file",
                found: "one that runs past its end"
            )
        }
        try reader.seek(to: end, name)
    }

    private static func checkBools(_ payload: FileBytes, _ reader: FileReader, _ name: String) throws {
        let wrong: UInt8? = payload.withSpan { span in
            for offset in 0..<span.byteCount {
                if let byte = span.byte(at: offset), byte > 1 { return byte }
            }
            return nil
        }
        if let wrong { throw reader.malformed(name, expected: "a bool of 0 or 1", found: "\(wrong)") }
    }
}
