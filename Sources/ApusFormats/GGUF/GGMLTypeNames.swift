/// The names of tensor types that exist but are not supported, so that an error can name them.
enum GGMLTypeNames {
    private static let names: [UInt32: String] = [
        9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
        24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]

    /// The name of a type number, with the number; nil if no release defines it.
    static func name(of number: UInt32) -> String? { names[number].map { "\($0) (\(number))" } }
}
