import ApusCore
import ApusFormats
import FuzzSupport

/// Opens the input as an importance matrix of either format and, if it is one, reads all weights.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImportance(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzInput.withFile(FuzzInput(start, count).bytes) { path in
        guard let matrix = try? ImportanceMatrix(path: path) else { return }
        precondition(!matrix.names.isEmpty)
        for name in matrix.names {
            guard let weights = matrix.weights(of: name) else { preconditionFailure("a name without weights") }
            precondition(!weights.isEmpty && weights.allSatisfy { $0.isFinite && $0 > 0 })
        }
    }
    return 0
}
