/// A small model as the parts of a GGUF file, so that a test can spoil one of them and write the rest as it should be.
///
/// The file is what its caller makes of it, however wrong: nothing is checked.
package struct TinyModelFile: Sendable {
    /// A metadata value.
    package enum Value: Sendable {
        case uint32(UInt32)
        case int32(Int32)
        case uint64(UInt64)
        case float32(Float)
        case bool(Bool)
        case string(String)
        case strings([[UInt8]])
        case floats([Float])
        case integers([Int32])
        /// Bytes as they are behind a type number.
        case raw(type: UInt32, [UInt8])
    }

    /// A tensor's header and data.
    package struct Tensor: Sendable {
        package var name: String
        package var type: UInt32
        package var shape: [UInt64]
        package var bytes: [UInt8]

        /// A tensor of the given type number.
        package init(name: String, type: UInt32, shape: [UInt64], bytes: [UInt8]) {
            self.name = name
            self.type = type
            self.shape = shape
            self.bytes = bytes
        }
    }

    /// The metadata in file order.
    package var fields: [(key: String, value: Value)]
    /// The tensors in file order.
    package var tensors: [Tensor]

    /// The value of a key, which may be set, and removed by nil.
    package subscript(key: String) -> Value? {
        get { fields.first { $0.key == key }?.value }
        set {
            let index = fields.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): fields[index].value = value
            case (let index?, nil): fields.remove(at: index)
            case (nil, let value?): fields.append((key, value))
            case (nil, nil): break
            }
        }
    }

    /// Changes the tensor with a name.
    package mutating func change(_ name: String, _ body: (inout Tensor) -> Void) {
        for index in tensors.indices where tensors[index].name == name { body(&tensors[index]) }
    }

    /// The file.
    package var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8)
        bytes.appendLittleEndian(UInt32(3))
        bytes.appendLittleEndian(UInt64(tensors.count))
        bytes.appendLittleEndian(UInt64(fields.count))
        for field in fields {
            bytes.appendText(Array(field.key.utf8))
            bytes.append(field.value)
        }
        var offset = 0
        for tensor in tensors {
            bytes.appendText(Array(tensor.name.utf8))
            bytes.appendLittleEndian(UInt32(tensor.shape.count))
            for extent in tensor.shape { bytes.appendLittleEndian(extent) }
            bytes.appendLittleEndian(tensor.type)
            bytes.appendLittleEndian(UInt64(offset))
            offset += (tensor.bytes.count + 31) / 32 * 32
        }
        for tensor in tensors {
            bytes += repeatElement(0, count: (32 - bytes.count % 32) % 32)
            bytes += tensor.bytes
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    fileprivate mutating func appendText(_ text: [UInt8]) {
        appendLittleEndian(UInt64(text.count))
        self += text
    }

    /// Appends a value's type number and content ("GGUF file format", `gguf_metadata_value_type`).
    fileprivate mutating func append(_ value: TinyModelFile.Value) {
        switch value {
        case .uint32(let number): appendNumber(4, number)
        case .int32(let number): appendNumber(5, number)
        case .uint64(let number): appendNumber(10, number)
        case .float32(let number): appendNumber(6, number.bitPattern)
        case .bool(let isTrue): appendNumber(7, UInt8(isTrue ? 1 : 0))
        case .string(let text):
            appendLittleEndian(UInt32(8))
            appendText(Array(text.utf8))
        case .strings(let texts):
            appendArrayHeader(8, texts.count)
            for text in texts { appendText(text) }
        case .floats(let numbers):
            appendArrayHeader(6, numbers.count)
            for number in numbers { appendLittleEndian(number.bitPattern) }
        case .integers(let numbers):
            appendArrayHeader(5, numbers.count)
            for number in numbers { appendLittleEndian(number) }
        case .raw(let type, let bytes):
            appendLittleEndian(type)
            self += bytes
        }
    }

    private mutating func appendNumber(_ type: UInt32, _ number: some FixedWidthInteger) {
        appendLittleEndian(type)
        appendLittleEndian(number)
    }

    private mutating func appendArrayHeader(_ type: UInt32, _ count: Int) {
        appendLittleEndian(UInt32(9))
        appendLittleEndian(type)
        appendLittleEndian(UInt64(count))
    }
}
