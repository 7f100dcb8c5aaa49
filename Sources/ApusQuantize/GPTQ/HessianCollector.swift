import ApusNN
import ApusTensor

/// Sums up XᵀX for the matrices of half a layer, once for those that read the same rows.
final class HessianCollector: StepObserver {
    /// Matrices and their sums.
    let groups: [(matrices: [PackedMatrix], hessian: GramMatrix)]

    /// - Parameter rowCapacity: the most rows of a step.
    /// - Throws: `ApusError` (`outOfMemory`).
    init(_ groups: [[PackedMatrix]], rowCapacity: Int, compute: Compute) throws {
        self.groups = try groups.map { matrices in
            (matrices, try GramMatrix(size: matrices[0].inputCount, rowCapacity: rowCapacity, compute: compute))
        }
    }

    func matrices(_ matrices: [PackedMatrix], read rows: FloatRows) {
        groups.first { $0.matrices.first === matrices.first }?.hessian.add(rows)
    }
}
