import ApusCore

/// The numbers or bools of a GGUF array, decoded from the mapped file one at a time as they are read.
///
/// Thread-safe.
public struct GGUFValueArray<Element: Sendable>: RandomAccessCollection, Sendable {
    private let payload: FileBytes
    private let stride: Int
    private let decode: @Sendable (FileBytes, Int) -> Element

    init(payload: FileBytes, stride: Int, decode: @escaping @Sendable (FileBytes, Int) -> Element) {
        self.payload = payload
        self.stride = stride
        self.decode = decode
    }

    /// The first index, 0.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { payload.count / stride }

    /// The element at an index.
    public subscript(position: Int) -> Element {
        precondition(position >= 0 && position < endIndex, "index out of range")
        return decode(payload, position * stride)
    }
}
