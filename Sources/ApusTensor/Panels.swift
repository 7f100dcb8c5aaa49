package import ApusCore
import CApusKernels

/// The widest inputs of a model's matrices, by the kind of activation their format wants.
public struct MatrixInputs: Sendable, Equatable {
    /// The longest input of a matrix that multiplies 8-bit codes; 0 if there is none.
    package var quantized = 0
    /// The longest input of a matrix that multiplies floats; 0 if there is none.
    package var float = 0

    package init() {}

    /// Takes note of a matrix.
    package mutating func add(type: ElementType, inputs: Int) {
        if type.isQuantized { quantized = max(quantized, inputs) } else { float = max(float, inputs) }
    }
}

/// The input rows of the matmul at hand in the layouts its matrices read, prepared at most once each.
package final class Panels {
    private let quantized: UnsafeMutableRawPointer
    private let float: UnsafeMutableRawPointer
    private var hasQuantized = false
    private var hasFloat = false

    /// Reserves memory for up to `rowCapacity` rows.
    package init(inputs: MatrixInputs, rowCapacity: Int, arena: Arena) {
        quantized = arena.allocate(byteCount: Self.quantizedByteCount(inputs, rowCapacity))
        float = arena.allocate(byteCount: Self.floatByteCount(inputs, rowCapacity))
    }

    /// Bytes `init` takes from an arena.
    package static func byteCount(inputs: MatrixInputs, rowCapacity: Int) -> Int {
        Arena.roundedUp(quantizedByteCount(inputs, rowCapacity)) + Arena.roundedUp(floatByteCount(inputs, rowCapacity))
    }

    private static func quantizedByteCount(_ inputs: MatrixInputs, _ rowCapacity: Int) -> Int {
        inputs.quantized == 0
            ? 0 : Int(apus_activation_bytes(APUS_ACTIVATION_Q8, Int64(rowCapacity), Int64(inputs.quantized)))
    }

    private static func floatByteCount(_ inputs: MatrixInputs, _ rowCapacity: Int) -> Int {
        inputs.float == 0 ? 0 : Int(apus_activation_bytes(APUS_ACTIVATION_F32, Int64(rowCapacity), Int64(inputs.float)))
    }

    /// Forgets the last input.
    package func discard() {
        hasQuantized = false
        hasFloat = false
    }

    /// The panels of `input` that `matrix` reads.
    package func panels(for matrix: PackedMatrix, of input: MatmulInput, compute: Compute) -> UnsafeRawPointer {
        let isMade = hasQuantized || hasFloat
        if matrix.format.activation == APUS_ACTIVATION_Q8 {
            if !hasQuantized { compute.prepare(isMade ? input.made : input, as: APUS_ACTIVATION_Q8, into: quantized) }
            hasQuantized = true
            return UnsafeRawPointer(quantized)
        }
        if !hasFloat { compute.prepare(isMade ? input.made : input, as: APUS_ACTIVATION_F32, into: float) }
        hasFloat = true
        return UnsafeRawPointer(float)
    }
}
