import ApusCore

/// How much each input of each matrix matters: the sum of its squares over a calibration text, from a file.
///
/// Two formats of llama.cpp are read: GGUF files (tensors `NAME.in_sum2` and `NAME.counts`) and the older binary one.
/// The sums stay in the mapped file, checked once: finite and not negative. Thread-safe.
package struct ImportanceMatrix: Sendable {
    /// What a file says of one tensor.
    struct Entry: Sendable {
        /// Sums of squares, 32-bit floats: columns of one matrix after the other.
        let sums: FileBytes
        /// What to divide the sums of each matrix by; 0 for one that nothing was seen of.
        let counts: [Float]

        var sumCount: Int { sums.count / 4 }

        /// - Throws: `ApusError` (`malformedFile`) for sums or counts that can be none.
        init(sums: FileBytes, counts: [Float], name: String) throws {
            self.sums = sums
            self.counts = counts
            let field = "entry \(name.quotedForMessage)"
            guard !counts.isEmpty, sumCount > 0, sumCount % counts.count == 0 else {
                throw ApusError.malformed(
                    sums.file.path,
                    field,
                    expected: "a multiple of \(counts.count) sums",
                    found: "\(sumCount)"
                )
            }
            let wrong = counts.first { !Self.isSum($0) } ?? sums.floats.first { !Self.isSum($0) }
            if let wrong {
                throw ApusError.malformed(
                    sums.file.path,
                    field,
                    expected: "sums of squares: finite, not negative",
                    found: "\(wrong)"
                )
            }
        }

        private static func isSum(_ value: Float) -> Bool { value.isFinite && value >= 0 }
    }

    /// The texts that it was computed on, as its maker names them.
    package let datasets: [String]
    /// How many chunks of text it was computed on; nil where the file does not say.
    package let chunkCount: Int?
    /// The file.
    package let path: String
    private let entries: [String: Entry]

    init(path: String, entries: [String: Entry], datasets: [String], chunkCount: Int?) throws {
        guard !entries.isEmpty else {
            throw ApusError.malformed(path, "importance matrix", expected: "one entry or more", found: "none")
        }
        self.path = path
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
    }

    /// Opens a file of either format.
    /// - Throws: `ApusError` naming file, field, expected and found value.
    package init(path: String) throws {
        let bytes = try MappedFile(path: path).bytes
        let isGGUF = bytes.slice(offset: 0, count: 4)?.withSpan { $0.littleEndian(at: 0, as: UInt32.self) }
        if isGGUF == GGUFPart.magic {
            try self.init(gguf: GGUFFile(path: path))
        } else {
            try self.init(legacy: bytes)
        }
    }

    /// The names of the tensors that it has entries of, in order.
    package var names: [String] { entries.keys.sorted() }

    /// How much each column of a tensor counts, around 1; nil if the file says nothing of it.
    ///
    /// That is the mean square of the column's input over that of all columns. A column whose input was always 0 gets a
    /// millionth, since its weights still need a value; a matrix that nothing was seen of gets equal weights.
    package func weights(of name: String) -> [Float]? {
        guard let entry = entries[name] else { return nil }
        let width = entry.sumCount / entry.counts.count
        var means = entry.sums.floats
        for index in means.indices {
            let count = entry.counts[index / width]
            means[index] = count > 0 ? means[index] / count : 1
        }
        return Self.weights(ofMeanSquares: means)
    }

    /// What columns count whose inputs have these mean squares.
    package static func weights(ofMeanSquares means: [Float]) -> [Float] {
        let total = means.reduce(0.0) { $0 + Double($1) }
        guard total > 0, total.isFinite else { return means.map { _ in 1 } }
        let mean = total / Double(means.count)
        return means.map { Float(max(Double($0) / mean, 1e-6)) }
    }
}

extension FileBytes {
    /// The bytes as little-endian 32-bit floats; what is left of a last one is dropped.
    var floats: [Float] {
        withSpan { span in
            (0..<span.byteCount / 4).map { index in
                Float(bitPattern: span.littleEndian(at: 4 * index, as: UInt32.self) ?? 0)
            }
        }
    }
}
