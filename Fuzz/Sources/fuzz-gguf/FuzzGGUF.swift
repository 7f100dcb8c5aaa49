import ApusCore
import ApusFormats
import FuzzSupport

/// Opens the input as a GGUF file and, if it is one, reads everything in it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzGGUF(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzInput.withFile(FuzzInput(start, count).bytes) { path in
        guard let model = try? GGUFFile(path: path) else { return }
        for field in model.metadata { read(field, model.metadata) }
        for tensor in model.tensors {
            precondition(tensor.shape.allSatisfy { $0 >= 1 } && tensor.elementCount >= 1)
            let rowLength = tensor.shape.first ?? 1
            let rowByteCount = tensor.type.byteCount(elementCount: rowLength)
            precondition(tensor.bytes.count == rowByteCount.map { $0 * (tensor.elementCount / rowLength) })
            precondition(model.tensor(named: tensor.name)?.bytes.offset == tensor.bytes.offset)
        }
    }
    return 0
}

private func read(_ field: GGUFField, _ metadata: GGUFMetadata) {
    _ = field.valueDescription(limit: 10)
    _ = try? metadata.string(field.key)
    _ = try? metadata.integer(field.key)
    _ = try? metadata.float(field.key)
    _ = try? metadata.bool(field.key)
    _ = try? metadata.integers(field.key).reduce(0, &+)
    _ = try? metadata.floats(field.key).reduce(0, +)
    _ = try? metadata.bools(field.key).count
    if let strings = try? metadata.strings(field.key) {
        precondition(strings.count == field.count)
        for index in strings.indices {
            precondition(strings[index].count == strings.withBytes(at: index) { $0.byteCount })
        }
    }
}
