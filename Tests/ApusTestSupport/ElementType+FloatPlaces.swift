package import ApusCore

extension ElementType {
    /// Where the upper 16 bits of a block's floats lie, or of the scale in front of a row: what a test spoils to make them no numbers.
    package var floatPlaces: [Int] {
        switch self {
        case .f32, .i4Row: [2]
        case .f16, .bf16, .q4_0, .q5_0, .q8_0, .iq4NL, .iq4XS: [0]
        case .q4_1, .q5_1, .q4K, .q5K, .q3G64, .q3G128: [0, 2]
        case .q2K: [80, 82]
        case .q3K: [108]
        case .q6K: [208]
        }
    }
}
