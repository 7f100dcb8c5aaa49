import Apus
import ApusCore
import ApusEval
import ApusQuantize
import ApusStore

/// The text that a method of rounding reads: pieces of it, spread evenly, as token ids.
struct CalibrationText {
    /// The pieces, all of one length.
    let segments: [[Int32]]
    /// Tokens of a piece.
    let segmentLength: Int
    /// What the file's record says of it.
    let record: FidelityRecord.Calibration

    /// Tokens of a piece where the model's context is no shorter.
    private static let segmentLength = 1024

    /// - Throws: `ApusError` (`invalidArgument`) if the text is too short for the pieces.
    init(path: String, for file: ModelFile, segmentCount: Int) throws {
        let bytes = try Terminal.readFile(path)
        segmentLength = min(Self.segmentLength, try ModelFacts(file).contextLength)
        let text = try ScoredText(bytes, for: file, contextLength: segmentLength)
        guard text.chunkCount >= segmentCount else {
            throw ApusError(
                .invalidArgument,
                "\(path): expected \(segmentCount) pieces of \(segmentLength) tokens, found \(text.chunkCount): take a longer "
                    + "text, or --segments \(text.chunkCount)"
            )
        }
        segments = (0..<segmentCount).map { text.chunk($0 * text.chunkCount / segmentCount) }
        record = .init(
            name: path.split(separator: "/").last.map(String.init) ?? path,
            contentHash: ContentHash.hexDigits(of: bytes),
            tokenCount: segmentCount * segmentLength
        )
    }
}
