/// Lines of cells as columns of equal width, two spaces between them.
struct TextTable {
    private let rows: [[String]]
    private let leadingColumnCount: Int

    /// - Parameters:
    ///   - rows: the head first, all as long.
    ///   - leadingColumnCount: how many columns hold text, which begins at the left; numbers end at the right.
    init(_ rows: [[String]], leadingColumnCount: Int = 1) {
        self.rows = rows
        self.leadingColumnCount = leadingColumnCount
    }

    /// The lines, without a line's end behind the last.
    var text: String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - row[column].count)
                return column < leadingColumnCount ? row[column] + space : space + row[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
