import ApusCore

extension ImportanceMatrix {
    /// The fewest bytes of an entry: name length, one byte of name, count, number of sums, one sum.
    private static let minimumEntrySize = 4 + 1 + 4 + 4 + 4
    private static let maximumNameLength = 1024

    /// Reads llama.cpp's older binary form: little-endian 32-bit counts, names and floats, no magic number.
    init(legacy bytes: FileBytes) throws {
        var reader = FileReader(bytes)
        let count = try Self.count(&reader, "number of entries", maximum: bytes.count / Self.minimumEntrySize)
        var entries: [String: Entry] = [:]
        for index in 0..<count {
            let name = try Self.name(&reader, "entry \(index) name")
            let calls = try Self.count(&reader, "entry \(index) count", minimum: 0)
            let sumCount = try Self.count(&reader, "entry \(index) number of sums", maximum: reader.remaining / 4)
            let sums = try reader.take(4 * sumCount, "entry \(index) sums")
            // The sums are means times `calls`; without calls they are means.
            let entry = try Entry(sums: sums, counts: [Float(max(1, calls))], name: name)
            guard entries.updateValue(entry, forKey: name) == nil else {
                throw reader.malformed("entry \(index) name", expected: "one of its own", found: name.quotedForMessage)
            }
        }
        var chunkCount: Int?
        var datasets: [String] = []
        if reader.remaining > 0 { chunkCount = try Self.count(&reader, "number of chunks", minimum: 0) }
        if reader.remaining > 0 {
            let length = try Self.count(&reader, "dataset name length", minimum: 0, maximum: reader.remaining)
            datasets = [try reader.take(length, "dataset name").text ?? ""]
        }
        guard reader.remaining == 0 else {
            throw reader.malformed(
                "end",
                expected: "nothing behind the dataset's name",
                found: "\(reader.remaining) bytes"
            )
        }
        try self.init(path: bytes.file.path, entries: entries, datasets: datasets, chunkCount: chunkCount)
    }

    private static func name(_ reader: inout FileReader, _ field: String) throws -> String {
        let length = try count(&reader, "\(field) length", maximum: maximumNameLength)
        guard let name = try reader.take(length, field).text else {
            throw reader.malformed(field, expected: "valid UTF-8", found: "\(length) bytes that are not")
        }
        return name
    }

    private static func count(
        _ reader: inout FileReader,
        _ field: String,
        minimum: Int = 1,
        maximum: Int = Int(Int32.max)
    ) throws -> Int {
        let claimed = Int(try reader.integer(Int32.self, field))
        guard claimed >= minimum, claimed <= maximum else {
            throw reader.malformed(
                "importance matrix: \(field)",
                expected: "\(minimum) to \(max(minimum, maximum))",
                found: "\(claimed)"
            )
        }
        return claimed
    }
}
