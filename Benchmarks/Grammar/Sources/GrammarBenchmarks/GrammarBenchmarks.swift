/// What grammars cost on one core, and random texts of them.
///
///     GrammarBenchmarks masks VOCABULARY.gguf
///     GrammarBenchmarks walk VOCABULARY.gguf|bytes SCHEMAS.json COUNT
@main
struct GrammarBenchmarks {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch (arguments.dropFirst().first, arguments.count) {
        case ("masks", 3): try MaskTimes.printTables(vocabulary: arguments[2])
        case ("walk", 5):
            let vocabulary = try arguments[2] == "bytes" ? .bytes : WalkVocabulary(path: arguments[2])
            try RandomWalk.printAll(vocabulary, schemas: arguments[3], count: Int(arguments[4]) ?? 1)
        default:
            print("usage: GrammarBenchmarks masks VOCABULARY.gguf | walk VOCABULARY.gguf|bytes SCHEMAS.json COUNT")
        }
    }
}

/// A generator with a seed, the same on every machine (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
