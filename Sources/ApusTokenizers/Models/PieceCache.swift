/// The tokens of pieces that occurred before in a text: words repeat, and copying ids is cheaper than merging again.
///
/// Nothing but places is kept, of pieces in the text and of their tokens in the result, so entries hold as long as both
/// are the same.
struct PieceCache {
    private struct Entry {
        // The text it belongs to; 0 for none.
        var text = 0
        var start = 0
        var idStart = 0
        var byteCount: UInt32 = 0
        var idCount: UInt32 = 0
    }

    /// Whether anything is remembered.
    var isInUse = true
    // By hash, the latest piece.
    private var entries: [Entry] = []
    private var text = 0
    private var slot = 0
    private let hash = ByteHash()

    private static let slotCount = 8192
    /// Longer pieces seldom repeat.
    private static let longestPiece = 64
    /// Below, setting the cache up would cost more than it saves.
    private static let shortestText = 2048

    /// Forgets all pieces: another text begins.
    mutating func begin(textByteCount: Int) {
        text += 1
        if isInUse, textByteCount >= Self.shortestText, entries.isEmpty {
            entries = Array(repeating: Entry(), count: Self.slotCount)
        }
    }

    /// Appends the tokens of a piece if it occurred before.
    /// - Returns: whether it did; if not, `remember` may follow.
    @inline(__always)
    mutating func recall(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ ids: inout [Int32]) -> Bool {
        let count = end - start
        guard !entries.isEmpty, count <= Self.longestPiece else { return false }
        slot = Int(truncatingIfNeeded: hash(bytes, start, count)) & (Self.slotCount - 1)
        let entry = entries[slot]
        guard entry.text == text, Int(entry.byteCount) == count, bytes.matches(entry.start, bytes, start, count: count)
        else { return false }
        for index in entry.idStart..<entry.idStart + Int(entry.idCount) { ids.append(ids[index]) }
        return true
    }

    /// Keeps the tokens of the piece that was not recalled: all from `idStart` on.
    @inline(__always)
    mutating func remember(_ start: Int, _ end: Int, idStart: Int, _ ids: [Int32]) {
        guard !entries.isEmpty, end - start <= Self.longestPiece else { return }
        entries[slot] = Entry(
            text: text,
            start: start,
            idStart: idStart,
            byteCount: UInt32(truncatingIfNeeded: end - start),
            idCount: UInt32(truncatingIfNeeded: ids.count - idStart)
        )
    }
}
