/// How a tensor's elements are stored in a file: floats, or blocks of quantized values.
///
/// The raw values are GGUF's type numbers ("GGUF file format", section "Tensor types"); our own types stand from 0x41500000 on,
/// where ggml's numbers will not come. A row of a quantized type is a whole number of blocks.
public enum ElementType: UInt32, BitwiseCopyable, Sendable, CaseIterable, CustomStringConvertible {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2K = 10
    case q3K = 11
    case q4K = 12
    case q5K = 13
    case q6K = 14
    case iq4NL = 20
    case iq4XS = 23
    case bf16 = 30
    case q3G64 = 0x4150_0000
    case q3G128 = 0x4150_0001
    case i4Row = 0x4150_0002

    /// Elements in a block: 1 for floats.
    public var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4NL, .i4Row: 32
        case .q3G64: 64
        case .q3G128: 128
        case .q2K, .q3K, .q4K, .q5K, .q6K, .iq4XS: 256
        }
    }

    /// Bytes of a block.
    public var blockByteCount: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0, .iq4NL: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2K: 84
        case .q3K: 110
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        case .iq4XS: 136
        case .q3G64: 28
        case .q3G128: 52
        case .i4Row: 16
        }
    }

    /// Bytes in front of a row's blocks: its scale, for types that have one for the whole row; 0 for the others, whose rows
    /// are as good as their blocks.
    public var rowHeaderByteCount: Int { self == .i4Row ? 4 : 0 }

    /// The name the field uses: `F32`, `Q4_K`, `IQ4_NL` ….
    public var description: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q2K: "Q2_K"
        case .q3K: "Q3_K"
        case .q4K: "Q4_K"
        case .q5K: "Q5_K"
        case .q6K: "Q6_K"
        case .iq4NL: "IQ4_NL"
        case .iq4XS: "IQ4_XS"
        case .q3G64: "Q3_G64"
        case .q3G128: "Q3_G128"
        case .i4Row: "I4_ROW"
        }
    }

    /// The type with the given name, in any case; nil if there is none.
    public init?(name: String) {
        let wanted = name.uppercased()
        guard let match = Self.allCases.first(where: { $0.description == wanted }) else { return nil }
        self = match
    }

    /// Whether elements are codes that share a scale, not floats.
    public var isQuantized: Bool { blockLength > 1 }

    /// Bytes of a row of `elementCount` elements, or nil if it is not a whole number of blocks or overflows.
    public func byteCount(elementCount: Int) -> Int? {
        guard elementCount >= 0, elementCount % blockLength == 0 else { return nil }
        let (blocks, overflow) = (elementCount / blockLength).multipliedReportingOverflow(by: blockByteCount)
        let (bytes, headerOverflow) = blocks.addingReportingOverflow(rowHeaderByteCount)
        return overflow || headerOverflow ? nil : bytes
    }

    /// Elements of a row of `byteCount` bytes, or nil if it is not a whole number of blocks.
    package func elementCount(byteCount: Int) -> Int? {
        let blocks = byteCount - rowHeaderByteCount
        guard blocks >= 0, blocks % blockByteCount == 0 else { return nil }
        return blocks / blockByteCount * blockLength
    }

    /// The type, or the nearest with shorter blocks that rows of `rowLength` elements are whole numbers of, as in llama.cpp's
    /// quantizer; nil if there is none.
    package func fitting(rowLength: Int) -> ElementType? {
        rowLength % blockLength == 0 ? self : shorterForm?.fitting(rowLength: rowLength)
    }

    /// What stands in for the type where rows are no whole number of its blocks.
    private var shorterForm: ElementType? {
        switch self {
        case .q2K, .q3K, .q3G64: .q4_0
        case .q4K: .q5_0
        case .q5K: .q5_1
        case .q6K: .q8_0
        case .iq4XS: .iq4NL
        case .q3G128: .q3G64
        default: nil
        }
    }
}
