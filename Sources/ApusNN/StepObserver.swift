package import ApusTensor

/// Sees a step from inside, to learn about a model: what its matrices read.
///
/// It changes nothing, and without one a step costs nothing. Called by the task that runs the step, between operations.
package protocol StepObserver: AnyObject {
    /// Matrices are about to multiply rows, in floats as they are before any rounding; a matrix is known by its `name`.
    ///
    /// The output matrix is among them, where quantized with the rests of its rows behind them (docs/numbers.md, section 3).
    /// - Parameter rows: rows x the matrices' `inputCount`, valid during the call.
    func matrices(_ matrices: [PackedMatrix], read rows: FloatRows)
}
