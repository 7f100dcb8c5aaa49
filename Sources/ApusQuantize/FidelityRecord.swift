import ApusFormats

/// What a quantized file says of its making and of what was lost, in its metadata under `apus.fidelity.`.
///
/// What is measured is measured on the finished file: its places are laid out first and filled in later.
package struct FidelityRecord: Sendable {
    /// The text that the loss was measured on.
    package struct Text: Sendable {
        package let name: String
        package let contentHash: String
        package let contextLength: Int

        package init(name: String, contentHash: String, contextLength: Int) {
            self.name = name
            self.contentHash = contentHash
            self.contextLength = contextLength
        }
    }

    /// What rounding went by: an importance matrix, or the text of GPTQ.
    package struct Calibration: Sendable {
        package let name: String
        package let contentHash: String
        /// How many tokens of the text were read; nil for an importance matrix.
        package let tokenCount: Int?

        package init(name: String, contentHash: String, tokenCount: Int? = nil) {
            self.name = name
            self.contentHash = contentHash
            self.tokenCount = tokenCount
        }
    }

    /// What was found, by the last part of its key.
    package typealias Measures = [(name: String, value: Double)]

    private let source: String
    private let contentHash: String
    private let method: RoundingMethod
    private let calibration: Calibration?
    private let text: Text?

    /// - Parameters:
    ///   - source: the name of the file that was quantized.
    ///   - contentHash: its SHA-256 in hexadecimal digits.
    ///   - method: how weights were rounded.
    ///   - calibration: what that went by; nil if all errors counted the same.
    ///   - text: what the loss will be measured on; nil if it will not be.
    package init(
        source: String,
        contentHash: String,
        method: RoundingMethod = .nearest,
        calibration: Calibration? = nil,
        text: Text?
    ) {
        self.source = source
        self.contentHash = contentHash
        self.method = method
        self.calibration = calibration
        self.text = text
    }

    private static let prefix = "apus.fidelity."

    /// The measures a file has places for.
    package static let measureNames = [
        "kl", "kl_standard_error", "kl_p99", "top_1_agreement", "top_5_agreement", "perplexity", "reference_perplexity",
        "predictions",
    ]

    /// Whether a metadata key is part of a record.
    static func owns(_ key: String) -> Bool { key.hasPrefix(prefix) }

    /// The key of a measure.
    package static func key(of measure: String) -> String { prefix + measure }

    /// The record as metadata, measures not yet known.
    func fields(type: QuantizationType) -> [(key: String, value: GGUFHeader.Value)] {
        var fields: [(String, GGUFHeader.Value)] = [
            ("source", .string(source)), ("source_sha256", .string(contentHash)), ("type", .string(type.name)),
            ("method", .string(method.rawValue)), ("calibration", .string(calibration?.name ?? "none")),
        ]
        if let calibration { fields.append(("calibration_sha256", .string(calibration.contentHash))) }
        if let count = calibration?.tokenCount {
            fields.append(("calibration_tokens", .uint32(UInt32(clamping: count))))
        }
        if let text {
            fields += [
                ("text", .string(text.name)), ("text_sha256", .string(text.contentHash)),
                ("context", .uint32(UInt32(clamping: text.contextLength))),
            ]
            fields += Self.measureNames.map { ($0, .float64(.nan)) }
        }
        return fields.map { (Self.prefix + $0.0, $0.1) }
    }
}
