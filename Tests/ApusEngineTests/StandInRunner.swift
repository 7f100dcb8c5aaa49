import ApusNN

/// A runner without a model: its KV memory holds token ids, and logits are a hash of a sequence's whole history, read
/// back from its blocks.
///
/// A wrong block table, position or chunk changes every later token.
final class StandInRunner: StepRunning {
    let vocabularySize: Int
    let blockLength: Int
    let blockCount: Int
    let maximumRowCount: Int
    let contextLength: Int
    /// Rows of each step so far.
    private(set) var stepRowCounts: [Int] = []
    /// Called at each step's start, with the step's number.
    var onStep: (@Sendable (Int) -> Void)?
    /// Makes the logits of sequences whose last token this is NaN.
    var poison: Int32?

    private var memory: [Int32]
    private var logits: [[Float]] = []

    init(
        vocabularySize: Int = 50,
        blockLength: Int = 4,
        blockCount: Int = 64,
        maximumRowCount: Int = 32,
        contextLength: Int = 128
    ) {
        self.vocabularySize = vocabularySize
        self.blockLength = blockLength
        self.blockCount = blockCount
        self.maximumRowCount = maximumRowCount
        self.contextLength = contextLength
        memory = Array(repeating: -1, count: blockLength * blockCount)
    }

    func run(_ plan: borrowing StepPlan) {
        onStep?(stepRowCounts.count)
        stepRowCounts.append(plan.tokens.count)
        logits.removeAll()
        for slice in plan.slices {
            let blocks = plan.blocks[slice.blocks]
            func place(_ position: Int) -> Int {
                Int(blocks[blocks.startIndex + position / blockLength]) * blockLength + position % blockLength
            }
            for (offset, row) in slice.rows.enumerated() {
                memory[place(slice.position + offset)] = plan.tokens[row]
            }
            let end = slice.position + slice.rows.count
            for length in end - slice.logitsCount + 1..<end + 1 {
                logits.append(Self.logits((0..<length).map { memory[place($0)] }, vocabularySize, poison))
            }
        }
    }

    func withLogits<Result>(row: Int, _ body: (inout MutableSpan<Float>) -> Result) -> Result {
        var chosen = logits[row]
        var span = chosen.mutableSpan
        let result = body(&span)
        return result
    }

    /// The logits that follow a history, spread over -8 ..< 8.
    static func logits(_ history: [Int32], _ vocabularySize: Int, _ poison: Int32? = nil) -> [Float] {
        if let poison, history.last == poison { return Array(repeating: .nan, count: vocabularySize) }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for token in history { hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01b3 }
        return (0..<vocabularySize).map { token in
            var mixed = hash &+ UInt64(token + 1) &* 0x9e37_79b9_7f4a_7c15
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return Float(mixed >> 40) * 0x1p-20 - 8
        }
    }

    /// The greedy continuation of a prompt.
    static func greedy(_ prompt: [Int32], count: Int, vocabularySize: Int = 50) -> [Int32] {
        var history = prompt
        for _ in 0..<count {
            let row = logits(history, vocabularySize)
            history.append(Int32(row.indices.max { row[$0] < row[$1] } ?? 0))
        }
        return Array(history.dropFirst(prompt.count))
    }
}

/// A deterministic prompt: different numbers give different prompts.
func prompt(_ number: Int, length: Int, vocabularySize: Int = 50) -> [Int32] {
    (0..<length).map { Int32(($0 * 7 + number * 13 + $0 * $0) % vocabularySize) }
}
