import ApusCore

/// Finds tensors by name, each of which may occur once in a model.
struct TensorIndex: Sendable {
    private let positions: [String: Int]

    init(_ tensors: [TensorInfo]) throws {
        var positions: [String: Int] = [:]
        for (position, tensor) in tensors.enumerated() {
            guard positions.updateValue(position, forKey: tensor.name) == nil else {
                throw ApusError.malformed(
                    tensor.bytes.file.path,
                    "tensor name",
                    expected: "unique names",
                    found: "\(tensor.name.quotedForMessage) again"
                )
            }
        }
        self.positions = positions
    }

    /// The position of the tensor with a name.
    subscript(name: String) -> Int? { positions[name] }
}
