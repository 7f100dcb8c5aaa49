package import ApusCore
import CApusKernels

/// The grids that the scales of quantized blocks span, and codes under scales that stay.
extension ElementCodec {
    /// The largest code of a type whose blocks span grids; nil for floats and for types whose levels lie unevenly.
    package static func topCode(of type: ElementType) -> Int? {
        let codec = codec(of: type)
        return codec.grid == nil ? nil : Int(codec.top_code)
    }

    /// Where the codes of each element lie: at its origin plus its step times a code from 0 to `topCode(of:)`.
    ///
    /// Steps may be negative, or 0. Nil for types whose blocks span no grid.
    /// - Parameter bytes: a whole number of blocks; one row, if rows have headers.
    package static func grid(of bytes: RawSpan, as type: ElementType) -> (steps: [Float], origins: [Float])? {
        guard let grid = codec(of: type).grid, let count = type.elementCount(byteCount: bytes.byteCount), count > 0
        else { return nil }
        var steps = [Float](repeating: 0, count: count)
        var origins = steps
        bytes.withUnsafeBytes { bytes in
            steps.withUnsafeMutableBufferPointer { steps in
                origins.withUnsafeMutableBufferPointer { origins in
                    guard let source = bytes.baseAddress, let steps = steps.baseAddress,
                        let origins = origins.baseAddress
                    else { return }
                    grid(source, steps, origins, Int64(count))
                }
            }
        }
        return (steps, origins)
    }

    /// Puts the nearest codes into blocks whose scales stay; values on the grid keep their numbers.
    /// - Parameters:
    ///   - values: one for each element.
    ///   - bytes: a whole number of blocks of a type with a grid; one row, if rows have headers.
    package static func snap(_ values: Span<Float>, to bytes: inout [UInt8], as type: ElementType) {
        precondition(topCode(of: type) != nil && type.byteCount(elementCount: values.count) == bytes.count)
        values.withUnsafeBufferPointer { values in
            bytes.withUnsafeMutableBytes { bytes in
                guard let input = values.baseAddress, let blocks = bytes.baseAddress else { return }
                apus_snap(row(of: type), input, blocks, Int64(values.count))
            }
        }
    }
}
