/// What encoding a text needs besides the vocabulary: memory that is used again for every piece.
struct EncodingWorkspace {
    var merger = PairMerger()
    var pieces = PieceCache()
}
