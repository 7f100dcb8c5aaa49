import ApusCore
import ApusFormats

extension ImportanceMatrix {
    /// Tensors that may lack an entry: llama.cpp collects none of the embedding, which nothing multiplies, nor, unless
    /// asked, of the output matrix.
    private static let optional: Set = ["token_embd.weight", "output.weight"]

    /// Refuses the importance matrix of another model.
    /// - Throws: `ApusError` (`invalidArgument`) naming the first tensor that does not fit.
    func check(_ items: [Quantizer.Item]) throws {
        for item in items where item.type.isQuantized {
            let name = item.tensor.name
            let width = item.tensor.shape.first ?? 0
            let found = weights(of: name)?.count
            guard found != width, found != nil || !Self.optional.contains(name) else { continue }
            throw ApusError(
                .invalidArgument,
                "\(path): expected \(width) columns of tensor \(name.quotedForMessage), found \(found.map(String.init) ?? "none"): "
                    + "the importance matrix is of another model, make one of this with apus imatrix"
            )
        }
        let known = Set(items.map(\.tensor.name))
        if let strange = names.first(where: { !known.contains($0) }) {
            throw ApusError(
                .invalidArgument,
                "\(path): expected tensors of the model, found \(strange.quotedForMessage): the importance matrix is of "
                    + "another model, make one of this with apus imatrix"
            )
        }
    }
}
