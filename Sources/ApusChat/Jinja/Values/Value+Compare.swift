/// Python's equality, order and membership.
extension Value {
    func isEqual(to other: Value, meter: Meter) throws -> Bool {
        try meter.step()
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let left), .string(let right)):
            try meter.spend(bytes: min(left.utf8.count, right.utf8.count))
            return left == right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            guard left.items.count == right.items.count else { return false }
            return try zip(left.items, right.items).allSatisfy { try $0.isEqual(to: $1, meter: meter) }
        case (.dict(let left), .dict(let right)):
            guard left.keys.count == right.keys.count else { return false }
            return try zip(left.keys, left.values).allSatisfy { key, value in
                guard let match = right.value(for: try DictKey(key, meter: meter)) else { return false }
                return try value.isEqual(to: match, meter: meter)
            }
        case (.object(let left), .object(let right)):
            if let left = left as? RangeValue, let right = right as? RangeValue {
                return left.count == right.count
                    && (left.count == 0 || left.start == right.start && (left.count == 1 || left.step == right.step))
            }
            return left === right
        default:
            if let left = integer, let right = other.integer { return left == right }
            return Value.numericOrder(self, other) == .equal
        }
    }

    enum Order { case less, equal, greater, unordered }

    /// The order of two numbers, exact between integers and floats; nil if one is not a number.
    private static func numericOrder(_ left: Value, _ right: Value) -> Order? {
        if let left = left.integer, let right = right.integer {
            return left < right ? .less : left == right ? .equal : .greater
        }
        guard let leftNumber = left.number, let rightNumber = right.number else { return nil }
        if leftNumber.isNaN || rightNumber.isNaN { return .unordered }
        if leftNumber != rightNumber { return leftNumber < rightNumber ? .less : .greater }
        // Equal as doubles: the integer among them may have been rounded.
        if let integer = left.integer, let exact = Int(exactly: rightNumber), integer != exact {
            return integer < exact ? .less : .greater
        }
        if let integer = right.integer, let exact = Int(exactly: leftNumber), integer != exact {
            return exact < integer ? .less : .greater
        }
        return .equal
    }

    /// The order of two values; `symbol` is the operator that Python's error names.
    func order(against other: Value, symbol: String, meter: Meter) throws -> Order {
        try meter.step()
        if case .undefined(let undefined) = self { throw undefined.failure }
        if case .undefined(let undefined) = other { throw undefined.failure }
        if let order = Value.numericOrder(self, other) { return order }
        switch (self, other) {
        case (.string(let left), .string(let right)):
            try meter.spend(bytes: min(left.utf8.count, right.utf8.count))
            return left == right ? .equal : left < right ? .less : .greater
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            for (leftItem, rightItem) in zip(left.items, right.items)
            where try !leftItem.isEqual(to: rightItem, meter: meter) {
                return try leftItem.order(against: rightItem, symbol: symbol, meter: meter)
            }
            let (leftCount, rightCount) = (left.items.count, right.items.count)
            return leftCount < rightCount ? .less : leftCount == rightCount ? .equal : .greater
        default:
            throw TemplateFailure(
                "'\(symbol)' not supported between instances of '\(typeName)' and '\(other.typeName)'"
            )
        }
    }

    func isLess(than other: Value, meter: Meter) throws -> Bool {
        try order(against: other, symbol: "<", meter: meter) == .less
    }

    /// Python's `element in self`.
    func contains(_ element: Value, meter: Meter) throws -> Bool {
        switch self {
        case .string(let text):
            if case .undefined(let undefined) = element { throw undefined.failure }
            guard let needle = element.text else {
                throw TemplateFailure(
                    "'in <string>' requires string as left operand, not \(element.typeName)"
                )
            }
            return try text.contains(needle, meter: meter)
        case .list(let list), .tuple(let list):
            return try list.items.contains { try $0.isEqual(to: element, meter: meter) }
        case .dict(let dict): return dict.value(for: try DictKey(element, meter: meter)) != nil
        case .undefined: return false
        default:
            guard let iterator = try iteratorIfIterable(meter: meter) else {
                throw TemplateFailure("argument of type '\(typeName)' is not iterable")
            }
            while let item = try iterator.next() {
                if try item.isEqual(to: element, meter: meter) { return true }
            }
            return false
        }
    }
}

/// Iteration and length.
extension Value {
    func iteratorIfIterable(meter: Meter) throws -> ValueIterator? {
        switch self {
        case .undefined: return ValueIterator([])
        case .string(let text):
            var scalars = text.scalars.makeIterator()
            return ValueIterator { scalars.next().map { .string(Text(utf8: Array($0.utf8))) } }
        case .list(let list), .tuple(let list): return ValueIterator(list.items)
        case .dict(let dict): return ValueIterator(dict.keys)
        case .object(let object): return try object.iterator(meter: meter)
        default: return nil
        }
    }

    func iterator(meter: Meter) throws -> ValueIterator {
        guard let iterator = try iteratorIfIterable(meter: meter) else {
            throw TemplateFailure("'\(typeName)' object is not iterable")
        }
        return iterator
    }

    /// All elements, within the memory allowance.
    func elements(meter: Meter) throws -> [Value] {
        if case .list(let list) = self { return list.items }
        if case .tuple(let list) = self { return list.items }
        let iterator = try iterator(meter: meter)
        var items: [Value] = []
        while let item = try iterator.next() {
            try meter.step()
            try meter.check(bytes: (items.count + 1) * MemoryCharge.perElement)
            items.append(item)
        }
        return items
    }

    /// Python's `len()`; nil where the type has none.
    func length() throws -> Int? {
        switch self {
        case .undefined: 0
        case .string(let text): text.count
        case .list(let list), .tuple(let list): list.items.count
        case .dict(let dict): dict.keys.count
        case .object(let object): try object.length()
        default: nil
        }
    }
}
