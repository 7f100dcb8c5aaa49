package import ApusCore

/// Rows of floats in an arena: the shape every activation has.
///
/// A view, not an owner: it is valid as long as the arena it came from. Whoever keeps one keeps the arena too.
public struct FloatRows: BitwiseCopyable {
    package let base: UnsafeMutablePointer<Float>
    /// Number of rows.
    public let rowCount: Int
    /// Floats in a row.
    public let width: Int
    /// Floats from the start of a row to the start of the next.
    public let stride: Int

    package init(base: UnsafeMutablePointer<Float>, rowCount: Int, width: Int, stride: Int) {
        self.base = base
        self.rowCount = rowCount
        self.width = width
        self.stride = stride
    }

    /// The given rows.
    public subscript(rows: Range<Int>) -> FloatRows {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount)
        return FloatRows(base: base + rows.lowerBound * stride, rowCount: rows.count, width: width, stride: stride)
    }

    /// The given columns of every row.
    public func columns(_ columns: Range<Int>) -> FloatRows {
        precondition(columns.lowerBound >= 0 && columns.upperBound <= width)
        return FloatRows(base: base + columns.lowerBound, rowCount: rowCount, width: columns.count, stride: stride)
    }

    /// Calls `body` with one row, which it may change.
    public func withRow<Result>(_ row: Int, _ body: (inout MutableSpan<Float>) -> Result) -> Result {
        precondition(row >= 0 && row < rowCount)
        // Sound because the arena outlives the view and one task at a time works on a workspace.
        var span = MutableSpan(_unsafeStart: base + row * stride, count: width)
        return body(&span)
    }

    /// Copies row `row` of `source` into row `target`.
    package func copyRow(_ row: Int, of source: FloatRows, to target: Int) {
        precondition(row >= 0 && row < source.rowCount && target >= 0 && target < rowCount && width == source.width)
        (base + target * stride).update(from: source.base + row * source.stride, count: width)
    }

    /// A copy of one row.
    public func row(_ row: Int) -> [Float] {
        withRow(row) { span in span.indices.map { span[$0] } }
    }

    /// Fills the rows with what the bytes of a file mean.
    package func decode(_ bytes: [UInt8], as type: ElementType) {
        bytes.withUnsafeBytes { source in
            let rowByteCount = source.count / max(1, rowCount)
            for row in 0..<rowCount {
                let blocks = UnsafeRawBufferPointer(rebasing: source[row * rowByteCount..<(row + 1) * rowByteCount])
                let target = UnsafeMutableBufferPointer(start: base + row * stride, count: width)
                ElementCodec.decode(blocks, as: type, into: target)
            }
        }
    }

    /// Copies the rows, one after the other, from an array.
    package func fill(_ values: Span<Float>) {
        precondition(values.count == rowCount * width)
        values.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress else { return }
            for row in 0..<rowCount { (base + row * stride).update(from: source + row * width, count: width) }
        }
    }
}
