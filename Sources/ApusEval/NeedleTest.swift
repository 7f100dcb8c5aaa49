package import Apus
import ApusChat
import ApusEngine

/// Retrieval from a long context: a sentence with a number stands somewhere in a text that has nothing to do with it, and is
/// asked for at the end (Kamradt, "Needle In A Haystack: Pressure Testing LLMs", 2023).
///
/// Everything follows from the seed: which part of the text surrounds the sentence, what it is about, its number. Answers are greedy.
package struct NeedleTest {
    /// Where the sentence stands.
    package struct Place: Sendable, Hashable {
        /// Tokens of the whole prompt, at most.
        package let length: Int
        /// How far into the text, in percent.
        package let depth: Int

        package init(length: Int, depth: Int) {
            self.length = length
            self.depth = depth
        }
    }

    /// A question and what came of it.
    package struct Outcome: Sendable {
        package let place: Place
        package let promptTokenCount: Int
        /// The number asked for.
        package let number: String
        package let answer: String
        package var isFound: Bool { NeedleTest.numbers(in: answer).contains(number) }
    }

    /// The most tokens of an answer.
    package static let answerTokenCount = 24

    private let model: Model
    private let text: [UInt8]
    /// Where each of the text's tokens ends, in bytes.
    private let ends: [Int]
    private let random: Philox

    /// Prepares the questions.
    /// - Parameters:
    ///   - text: what surrounds the sentence.
    ///   - seed: what the choices follow from.
    package init(_ model: Model, text: [UInt8], seed: UInt64) {
        self.model = model
        self.text = text
        var end = 0
        ends = model.tokenizer.encode(text, parseSpecial: false, addSpecial: false).map { token in
            end += model.tokenizer.token(token).count
            return min(end, text.count)
        }
        random = Philox(seed: seed)
    }

    /// Asks once.
    /// - Parameter trial: which of the questions that are alike but for their random choices.
    /// - Throws: `ApusError`: `invalidArgument` if the text is too short for the length, or the length for a question.
    package func outcome(at place: Place, trial: Int) async throws -> Outcome {
        let (prompt, number) = try prompt(at: place, trial: trial)
        let options = GenerationOptions(sampling: .greedy, maximumTokenCount: Self.answerTokenCount)
        let answer = try await model.generate(tokens: prompt, options: options).text()
        return Outcome(place: place, promptTokenCount: prompt.count, number: number, answer: answer)
    }

    private static let cities = [
        "Lisbon", "Oslo", "Kyoto", "Lima", "Tunis", "Riga", "Perth", "Quito", "Dakar", "Turin", "Sofia", "Hanoi",
        "Bergen",
        "Porto", "Cusco", "Ghent",
    ]

    /// The prompt, as long as the place asks for but for a few tokens, and the number in it.
    package func prompt(at place: Place, trial: Int) throws -> (tokens: [Int32], number: String) {
        let bits = random.block(
            SIMD4(UInt32(clamping: place.length), UInt32(clamping: place.depth), UInt32(clamping: trial), 0)
        )
        let number = "\(10_000 + bits[0] % 90_000)"
        let subject = "the access code of the museum in \(Self.cities[Int(bits[1] % UInt32(Self.cities.count))])"
        let needle = "The\(subject.dropFirst(3)) is \(number)."
        func tokens(_ haystack: String) throws -> [Int32] {
            guard model.chatTemplate != nil else {
                return model.tokenizer.encode("\(haystack)\n\nThe\(subject.dropFirst(3)) is", parseSpecial: false)
            }
            let question = "What is \(subject)? Answer with the number only."
            return try model.promptTokens([
                ["role": "user", "content": .string("Read this text.\n\n\(haystack)\n\n\(question)")]
            ])
        }
        var count = place.length - (try tokens(needle)).count
        // What is cut out of a text has other tokens at its ends than inside it.
        while count > 0 {
            guard count <= ends.count else {
                throw ApusError(
                    .invalidArgument,
                    "the text has \(ends.count) tokens, too few for a prompt of \(place.length)"
                )
            }
            let first = Int(Double(ends.count - count) * Double(bits[2]) / Double(UInt32.max))
            let prompt = try tokens(haystack(first..<first + count, with: needle, depth: place.depth))
            if prompt.count <= place.length { return (prompt, number) }
            count -= prompt.count - place.length
        }
        throw ApusError(.invalidArgument, "length: expected room for the question and some text, found \(place.length)")
    }

    /// A part of the text with the sentence in it, behind the end of another sentence.
    private func haystack(_ tokens: Range<Int>, with needle: String, depth: Int) -> String {
        let start = tokens.lowerBound > 0 ? ends[tokens.lowerBound - 1] : 0
        let bytes = text[start..<ends[tokens.upperBound - 1]]
        var cut = bytes.startIndex + bytes.count * depth / 100
        let (stop, space, line) = (UInt8(ascii: "."), UInt8(ascii: " "), UInt8(ascii: "\n"))
        func isSentenceEnd(_ index: Int) -> Bool {
            bytes[index - 1] == line
                || index > bytes.startIndex + 1 && bytes[index - 2] == stop && bytes[index - 1] == space
        }
        while depth < 100, cut > bytes.startIndex, !isSentenceEnd(cut) { cut -= 1 }
        let (before, after) = (
            String(decoding: bytes[..<cut], as: UTF8.self), String(decoding: bytes[cut...], as: UTF8.self)
        )
        return before + (before.isEmpty || before.last?.isWhitespace == true ? "" : " ") + needle + " " + after
    }

    /// The numbers in an answer, without the commas that group digits.
    private static func numbers(in answer: String) -> [String] {
        var numbers = [""]
        let characters = Array(answer.unicodeScalars)
        for (index, character) in characters.enumerated() {
            if ("0"..."9").contains(character) {
                numbers[numbers.count - 1].unicodeScalars.append(character)
            } else if character != "," || index + 1 < characters.count && !("0"..."9").contains(characters[index + 1]) {
                numbers.append("")
            }
        }
        return numbers
    }
}
