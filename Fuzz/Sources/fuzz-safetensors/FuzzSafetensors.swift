import ApusCore
import ApusFormats
import FuzzSupport

/// Opens the input as a safetensors file, as the header of one with eight bytes of data, and as an index.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSafetensors(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = FuzzInput(start, count).bytes
    let length = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) }
    for content in [bytes, length + bytes + [UInt8](repeating: 0, count: 8)] {
        FuzzInput.withFile(content) { path in
            guard let model = try? SafetensorsModel(path: path) else { return }
            for tensor in model.tensors {
                let rowLength = tensor.shape.first ?? 1
                let rowByteCount = tensor.type.byteCount(elementCount: rowLength)
                precondition(tensor.bytes.count == rowByteCount.map { $0 * (tensor.elementCount / rowLength) })
                precondition(model.tensor(named: tensor.name)?.bytes.offset == tensor.bytes.offset)
            }
        }
    }
    FuzzInput.withFile(bytes) { _ = try? SafetensorsModel(indexPath: $0) }
    return 0
}
