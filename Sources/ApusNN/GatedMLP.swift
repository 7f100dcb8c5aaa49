package import ApusTensor

/// The gated feed-forward layer (Shazeer, "GLU Variants Improve Transformer", 2020): down(act(gate(x)) * up(x)).
package struct GatedMLP {
    private let gateUp: FusedLinear
    private let activation: GateActivation
    private let down: OutputProjection

    /// Creates the layer from gate and up, side by side, and down.
    package init(gateUp: FusedLinear, activation: GateActivation, down: OutputProjection) {
        self.gateUp = gateUp
        self.activation = activation
        self.down = down
    }

    /// The layer's matrices.
    package var matrices: [PackedMatrix] { inputMatrices + outputMatrices }

    /// Gate and up.
    package var inputMatrices: [PackedMatrix] { gateUp.matrices }

    /// Down.
    package var outputMatrices: [PackedMatrix] { down.matrices }

    /// hidden += mlp(input).
    package func callAsFunction(_ input: MatmulInput, addingTo hidden: FloatRows, _ step: StepContext) {
        let both = step.gateUp.columns(0..<gateUp.outputWidth)
        gateUp(input, into: both, step)
        let gate = both.columns(0..<gateUp.outputWidth / 2)
        let up = both.columns(gateUp.outputWidth / 2..<gateUp.outputWidth)
        let gated = step.compute.gate(gate, up, activation: activation, into: gate)
        down(MatmulInput(gated), addingTo: hidden, step)
    }
}
