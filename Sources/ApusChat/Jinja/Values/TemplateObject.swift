/// A value with identity, state or behaviour of its own: ranges, views, generators, loops, macros, namespaces.
protocol TemplateObject: AnyObject {
    var typeName: String { get }
    var depth: Int { get }
    var isTruthy: Bool { get }
    var isCallable: Bool { get }
    /// Python's `repr`, where it is the same in every run.
    func representation(meter: Meter) throws -> String
    func attribute(_ name: String, _ interpreter: Interpreter) throws -> Value?
    /// `self[key]`, nil where Python raises a lookup or type error.
    func item(_ key: Value, meter: Meter) throws -> Value?
    /// Python's `len()`, nil where it has none.
    func length() throws -> Int?
    /// Python's `iter()`, nil where it has none.
    func iterator(meter: Meter) throws -> ValueIterator?
    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value
}

extension TemplateObject {
    var depth: Int { 0 }
    var isTruthy: Bool { true }
    var isCallable: Bool { false }
    func representation(meter: Meter) throws -> String { "<\(typeName)>" }
    func attribute(_ name: String, _ interpreter: Interpreter) throws -> Value? { nil }
    func item(_ key: Value, meter: Meter) throws -> Value? { nil }
    func length() throws -> Int? { nil }
    func iterator(meter: Meter) throws -> ValueIterator? { nil }
    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        throw TemplateFailure("'\(typeName)' object is not callable")
    }
}

/// Yields values one at a time, like a Python iterator.
final class ValueIterator {
    private let advance: () throws -> Value?
    private var isExhausted = false

    init(_ advance: @escaping () throws -> Value?) { self.advance = advance }

    convenience init(_ items: [Value]) {
        var index = 0
        self.init {
            guard index < items.count else { return nil }
            index += 1
            return items[index - 1]
        }
    }

    func next() throws -> Value? {
        if isExhausted { return nil }
        guard let value = try advance() else {
            isExhausted = true
            return nil
        }
        return value
    }
}

/// What filters such as `map` and `select` return: computes its elements when they are asked for, once.
final class GeneratorValue: TemplateObject {
    let typeName = "generator"
    let depth: Int
    private let elements: ValueIterator

    /// - Parameter source: the value that the elements come from, whose nesting the generator deepens by one.
    init(over source: Value, _ advance: @escaping () throws -> Value?) throws {
        depth = source.depth + 1
        elements = ValueIterator(advance)
        try Meter.check(depth: depth)
    }

    func iterator(meter: Meter) throws -> ValueIterator? { elements }
}

/// Consecutive integers in steps, as `range` makes them.
final class RangeValue: TemplateObject {
    let typeName = "range"
    let start: Int
    let step: Int
    let count: Int
    private let stop: Int

    init(start: Int, stop: Int, step: Int) throws {
        if step == 0 { throw TemplateFailure("range() arg 3 must not be zero") }
        self.start = start
        self.stop = stop
        self.step = step
        let (span, overflow) =
            step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        let stride = Int(clamping: step.magnitude)
        count = overflow ? (stop > start) == (step > 0) ? .max : 0 : span <= 0 ? 0 : (span - 1) / stride + 1
        if count > RenderLimits.rangeCount {
            throw TemplateFailure(
                "Range too big. The sandbox blocks ranges larger than MAX_RANGE (\(RenderLimits.rangeCount))."
            )
        }
    }

    var items: [Value] { (0..<count).map { .int(start + $0 * step) } }
    var isTruthy: Bool { count > 0 }
    func length() -> Int? { count }

    func representation(meter: Meter) -> String {
        step == 1 ? "range(\(start), \(stop))" : "range(\(start), \(stop), \(step))"
    }

    func item(_ key: Value, meter: Meter) -> Value? {
        guard let index = key.integer, index < count, index >= -count else { return nil }
        return .int(start + (index < 0 ? index + count : index) * step)
    }

    func iterator(meter: Meter) throws -> ValueIterator? {
        let (start, step, count) = (start, step, count)
        var index = 0
        return ValueIterator {
            guard index < count else { return nil }
            index += 1
            return .int(start + (index - 1) * step)
        }
    }
}

/// What a dict's `keys`, `values` and `items` return.
final class DictView: TemplateObject {
    enum Part: String { case keys, values, items }

    private let dict: DictValue
    private let part: Part

    init(_ dict: DictValue, _ part: Part) {
        self.dict = dict
        self.part = part
    }

    var typeName: String { "dict_\(part)" }
    var depth: Int { dict.depth + 1 }
    var isTruthy: Bool { !dict.keys.isEmpty }
    func length() -> Int? { dict.keys.count }

    func elements(meter: Meter) throws -> [Value] {
        switch part {
        case .keys: dict.keys
        case .values: dict.values
        case .items: try dict.items(meter: meter)
        }
    }

    func iterator(meter: Meter) throws -> ValueIterator? { ValueIterator(try elements(meter: meter)) }

    func representation(meter: Meter) throws -> String {
        "\(typeName)(\(try Value.list(ListValue(elements(meter: meter))).representation(meter: meter)))"
    }
}
