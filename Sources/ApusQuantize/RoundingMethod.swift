/// How weights become codes.
package enum RoundingMethod: String, CaseIterable, Sendable {
    /// Each to the nearest point of its block's grid.
    case nearest
    /// By GPTQ, so that the outputs on a calibration text change least.
    case gptq
}
