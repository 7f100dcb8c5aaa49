/// Attributes, elements and slices.
extension Interpreter {
    /// `value.name`: the attribute if the type has one, otherwise the element of that name.
    func attribute(_ name: Text, of value: Value) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.failure }
        if let attribute = try ownAttribute(name, of: value) { return attribute }
        if let element = try element(.string(name), of: value) { return element }
        return .undefined(Undefined(.string(name), of: value))
    }

    /// `value[key]`: the element if there is one, otherwise the attribute of that name.
    func item(_ key: Value, of value: Value) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.failure }
        if let element = try element(key, of: value) { return element }
        if case .string(let name) = key, let attribute = try ownAttribute(name, of: value) { return attribute }
        return .undefined(Undefined(key, of: value))
    }

    private func ownAttribute(_ text: Text, of value: Value) throws -> Value? {
        let name = text.string
        switch value {
        case .string(let receiver):
            guard let method = StringMethods.table[name] else { return nil }
            return method.bound(to: receiver, name, depth: 0)
        case .list(let list), .tuple(let list):
            if case .list = value, ListMethods.mutating.contains(name) { return Interpreter.unsafe(name, value) }
            guard let method = ListMethods.table[name] else { return nil }
            return method.bound(to: list, name, depth: list.depth)
        case .dict(let dict):
            if DictMethods.mutating.contains(name) { return Interpreter.unsafe(name, value) }
            guard let method = DictMethods.table[name] else { return nil }
            return method.bound(to: dict, name, depth: dict.depth)
        case .int, .bool, .float: return NumberMethods.attribute(name, of: value)
        case .object(let object): return try object.attribute(name, self)
        case .none, .undefined: return nil
        }
    }

    /// What the sandbox gives instead of a method that would change its receiver.
    private static func unsafe(_ name: String, _ value: Value) -> Value {
        .undefined(Undefined(message: "access to attribute '\(name)' of '\(value.typeName)' object is unsafe."))
    }

    private func element(_ key: Value, of value: Value) throws -> Value? {
        switch value {
        case .dict(let dict):
            switch key {
            case .list, .dict: return nil
            default: return dict.value(for: try DictKey(key, meter: meter))
            }
        case .list(let list), .tuple(let list):
            return key.integer.flatMap { position($0, count: list.items.count) }.map { list.items[$0] }
        case .string(let text):
            guard let index = key.integer else { return nil }
            try meter.spend(bytes: text.utf8.count)
            return position(index, count: text.count).map {
                .string(text.slice(start: $0, step: 1, count: 1))
            }
        case .object(let object): return try object.item(key, meter: meter)
        default: return nil
        }
    }

    /// A Python index, negative from the end, as an offset; nil outside.
    private func position(_ index: Int, count: Int) -> Int? {
        let position = index < 0 ? index + count : index
        return (0..<count).contains(position) ? position : nil
    }

    /// `value[start:stop:step]`.
    func slice(_ value: Value, _ start: Value, _ stop: Value, _ step: Value) throws -> Value {
        func range(_ count: Int) throws -> SliceRange { try SliceRange(start, stop, step, count: count) }
        switch value {
        case .undefined(let undefined): throw undefined.failure
        case .string(let text):
            try meter.spend(bytes: text.utf8.count)
            let range = try range(text.count)
            return try meter.text(text.slice(start: range.start, step: range.step, count: range.count))
        case .list(let list):
            let range = try range(list.items.count)
            return try meter.list(range.indices.map { list.items[$0] })
        case .tuple(let list):
            let range = try range(list.items.count)
            return try meter.tuple(range.indices.map { list.items[$0] })
        case .object(let object):
            guard let numbers = object as? RangeValue else { break }
            let range = try range(numbers.count)
            let first = numbers.start + range.start * numbers.step
            let step = range.step * numbers.step
            return .object(try RangeValue(start: first, stop: first + range.count * step, step: step))
        default: break
        }
        throw TemplateFailure("'\(value.typeName)' object is not subscriptable by a slice")
    }
}

/// The elements that a slice selects from `count` of them.
struct SliceRange {
    let start: Int
    let step: Int
    let count: Int

    var indices: [Int] { (0..<count).map { start + $0 * step } }

    /// - Throws: if a bound is neither an integer nor none.
    init(_ start: Value, _ stop: Value, _ step: Value, count: Int) throws {
        func bound(_ value: Value) throws -> Int? {
            if value.isNone { return nil }
            guard let integer = value.integer else {
                throw TemplateFailure("slice indices must be integers or None or have an __index__ method")
            }
            return integer
        }
        let (start, stop, stride) = (try bound(start), try bound(stop), try bound(step) ?? 1)
        if stride == 0 { throw TemplateFailure("slice step cannot be zero") }
        let lowest = stride < 0 ? -1 : 0
        let highest = stride < 0 ? count - 1 : count
        func clamp(_ index: Int) -> Int { min(max(index < 0 ? index + count : index, lowest), highest) }
        let first = start.map(clamp) ?? (stride < 0 ? highest : 0)
        let last = stop.map(clamp) ?? (stride < 0 ? lowest : highest)
        let span = stride > 0 ? last - first : first - last
        self.start = first
        self.step = Int(clamping: stride.magnitude) > count ? (stride < 0 ? -count - 1 : count + 1) : stride
        self.count = span <= 0 ? 0 : (span - 1) / abs(self.step) + 1
    }
}
