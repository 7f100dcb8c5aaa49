/// Writes float tensors as a safetensors file ("Safetensors format"), for models that tests make up.
///
/// Readers are checked against files of other implementations, in ApusFormatsTests.
package enum SafetensorsWriter {
    /// - Parameter tensors: name, shape (outermost dimension first) and elements.
    package static func bytes(_ tensors: [(name: String, shape: [Int], values: [Float])]) -> [UInt8] {
        var entries: [String] = []
        var offset = 0
        for tensor in tensors {
            let end = offset + 4 * tensor.values.count
            entries.append(
                "\"\(tensor.name)\":{\"dtype\":\"F32\",\"shape\":\(tensor.shape),\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        var bytes = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
        bytes.reserveCapacity(bytes.count + offset)
        for tensor in tensors {
            for value in tensor.values {
                let bits = value.bitPattern
                for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
            }
        }
        return bytes
    }
}
