package import ApusTensor

/// Root mean square layer normalization (Zhang and Sennrich, 2019), over whole rows or over each head.
package struct RMSNorm {
    private let weight: Vector
    private let epsilon: Float

    package init(weight: Vector, epsilon: Float) {
        self.weight = weight
        self.epsilon = epsilon
    }

    /// output = norm(input), or is increased by it with `accumulates`.
    package func callAsFunction(
        _ input: FloatRows,
        into output: FloatRows,
        accumulates: Bool = false,
        _ step: StepContext
    ) {
        step.compute.run(operation(input, into: output, accumulates: accumulates, step))
    }

    /// norm(input), made when a matmul reads it.
    package func whenRead(_ input: FloatRows, into output: FloatRows, _ step: StepContext) -> MatmulInput {
        MatmulInput(operation(input, into: output, accumulates: false, step))
    }

    private func operation(_ input: FloatRows, into output: FloatRows, accumulates: Bool, _ step: StepContext)
        -> RowOperation
    {
        precondition(input.width == weight.count)
        return step.compute.rmsNorm(
            input,
            weight: weight.base,
            epsilon: epsilon,
            into: output,
            accumulates: accumulates
        )
    }

    /// Normalizes each head of each row in place: `rows` is rows x heads x weight.count.
    package func heads(_ rows: FloatRows, _ step: StepContext) {
        for first in stride(from: 0, to: rows.width, by: weight.count) {
            let head = rows.columns(first..<first + weight.count)
            step.compute.run(operation(head, into: head, accumulates: false, step))
        }
    }
}
