import ApusCore
package import ApusTensor

/// Matrices that read the same input, run as one operation: q, k and v; gate and up; or a single one.
///
/// Their outputs lie side by side in one buffer, in order.
package struct FusedLinear {
    /// One matrix and its bias.
    package struct Part {
        let matrix: PackedMatrix
        let bias: Vector?

        package init(_ matrix: PackedMatrix, bias: Vector? = nil) {
            precondition(bias == nil || bias?.count == matrix.outputCount)
            self.matrix = matrix
            self.bias = bias
        }
    }

    private let parts: [Part]
    package let inputWidth: Int
    package let outputWidth: Int

    package init(_ parts: [Part]) {
        precondition((1...3).contains(parts.count))
        self.parts = parts
        inputWidth = parts[0].matrix.inputCount
        outputWidth = parts.reduce(0) { $0 + $1.matrix.outputCount }
        precondition(parts.allSatisfy { $0.matrix.inputCount == inputWidth })
    }

    package init(_ matrix: PackedMatrix, bias: Vector? = nil) {
        self.init([Part(matrix, bias: bias)])
    }

    /// The matrices, for accounting.
    package var matrices: [PackedMatrix] { parts.map(\.matrix) }

    /// Whether the matrices multiply 8-bit codes.
    package var readsQuantizedRows: Bool { parts.allSatisfy { $0.matrix.type.isQuantized } }

    /// output (rows x outputWidth) = input times the matrices, or is increased by it with `accumulates`.
    package func callAsFunction(
        _ input: MatmulInput,
        into output: FloatRows,
        accumulates: Bool = false,
        _ step: StepContext
    ) {
        precondition(input.rows.rowCount == output.rowCount)
        precondition(output.width == outputWidth && input.rows.width == inputWidth)
        let workspace = step.panels
        workspace.discard()
        var group = MatmulGroup(rowCount: output.rowCount)
        var column = 0
        for part in parts {
            group.append(
                part.matrix,
                panels: workspace.panels(for: part.matrix, of: input, compute: step.compute),
                output: output.columns(column..<column + part.matrix.outputCount),
                bias: part.bias?.base,
                accumulates: accumulates
            )
            column += part.matrix.outputCount
        }
        step.observer?.matrices(matrices, read: input.rows)
        step.compute.matmul(group)
    }
}
