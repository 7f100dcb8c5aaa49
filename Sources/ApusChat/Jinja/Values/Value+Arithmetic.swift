#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The binary operators of expressions.
enum ArithmeticOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "** or pow()"
}

/// Python's arithmetic. Integers have 64 bits: a result beyond them is an error, not a wrapped number.
extension Value {
    static func apply(_ operation: ArithmeticOperator, _ left: Value, _ right: Value, meter: Meter) throws -> Value {
        if operation == .remainder, case .string(let format) = left {
            return try PercentFormat(format, meter: meter).render(right)
        }
        if case .undefined(let undefined) = left { throw undefined.failure }
        if case .undefined(let undefined) = right { throw undefined.failure }
        if let left = left.integer, let right = right.integer { return try integers(operation, left, right) }
        if let left = left.number, let right = right.number { return .float(try floats(operation, left, right)) }
        if operation == .add, let joined = try concatenation(left, right, meter: meter) { return joined }
        if operation == .multiply {
            if let count = right.integer, let repeated = try left.repeated(count, meter: meter) { return repeated }
            if let count = left.integer, let repeated = try right.repeated(count, meter: meter) { return repeated }
        }
        throw TemplateFailure(
            "unsupported operand type(s) for \(operation.rawValue): '\(left.typeName)' and '\(right.typeName)'"
        )
    }

    private static func concatenation(_ left: Value, _ right: Value, meter: Meter) throws -> Value? {
        switch (left, right) {
        case (.string(let left), .string(let right)):
            try meter.check(bytes: left.utf8.count + right.utf8.count)
            guard left.isMarkup || right.isMarkup else { return try meter.text(left.utf8 + right.utf8) }
            return try meter.text(Text(utf8: left.escaped.utf8 + right.escaped.utf8, isMarkup: true))
        case (.list(let left), .list(let right)):
            try meter.check(bytes: (left.items.count + right.items.count) * MemoryCharge.perElement)
            return try meter.list(left.items + right.items)
        case (.tuple(let left), .tuple(let right)):
            try meter.check(bytes: (left.items.count + right.items.count) * MemoryCharge.perElement)
            return try meter.tuple(left.items + right.items)
        default: return nil
        }
    }

    private func repeated(_ count: Int, meter: Meter) throws -> Value? {
        func check(_ size: Int) throws {
            let (bytes, overflow) = size.multipliedReportingOverflow(by: max(count, 0))
            try meter.check(bytes: overflow ? .max : bytes)
        }
        func times<Element>(_ elements: [Element]) -> [Element] {
            Array(repeatElement(elements, count: elements.isEmpty ? 0 : max(count, 0)).joined())
        }
        switch self {
        case .string(let text):
            try check(text.utf8.count)
            return try meter.text(Text(utf8: times(text.utf8), isMarkup: text.isMarkup))
        case .list(let list):
            try check(list.items.count * MemoryCharge.perElement)
            return try meter.list(times(list.items))
        case .tuple(let list):
            try check(list.items.count * MemoryCharge.perElement)
            return try meter.tuple(times(list.items))
        default: return nil
        }
    }

    private static func integers(_ operation: ArithmeticOperator, _ left: Int, _ right: Int) throws -> Value {
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case .add: result = left.addingReportingOverflow(right)
        case .subtract: result = left.subtractingReportingOverflow(right)
        case .multiply: result = left.multipliedReportingOverflow(by: right)
        case .divide: return .float(try floats(.divide, Double(left), Double(right)))
        case .floorDivide, .remainder:
            if right == 0 { throw TemplateFailure("integer division or modulo by zero") }
            let (quotient, overflow) = left.dividedReportingOverflow(by: right)
            let remainder = overflow ? 0 : left % right
            let isRoundedUp = remainder != 0 && (remainder < 0) != (right < 0)
            result =
                operation == .floorDivide
                ? (isRoundedUp ? quotient - 1 : quotient, overflow)
                : (isRoundedUp ? remainder + right : remainder, false)
        case .power:
            if right < 0 { return .float(try floats(.power, Double(left), Double(right))) }
            result = power(left, right)
        }
        if result.overflow { throw TemplateFailure("integer result does not fit 64 bits") }
        return .int(result.partialValue)
    }

    private static func power(_ base: Int, _ exponent: Int) -> (partialValue: Int, overflow: Bool) {
        if base == 0 || base == 1 || exponent == 0 { return (exponent == 0 ? 1 : base, false) }
        if base == -1 { return (exponent % 2 == 0 ? 1 : -1, false) }
        var result = 1
        for _ in 0..<min(exponent, 64) {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return (0, true) }
            result = product
        }
        return (result, exponent > 64)
    }

    private static func floats(_ operation: ArithmeticOperator, _ left: Double, _ right: Double) throws -> Double {
        switch operation {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide:
            if right == 0 { throw TemplateFailure("division by zero") }
            return left / right
        case .floorDivide, .remainder:
            if right == 0 { throw TemplateFailure("float floor division or modulo by zero") }
            var remainder = left.truncatingRemainder(dividingBy: right)
            var quotient = (left - remainder) / right
            if remainder != 0, (remainder < 0) != (right < 0) {
                remainder += right
                quotient -= 1
            }
            if operation == .remainder {
                return remainder == 0 ? Double(signOf: right, magnitudeOf: 0) : remainder
            }
            if quotient == 0 { return Double(signOf: left / right, magnitudeOf: 0) }
            let floor = quotient.rounded(.down)
            return quotient - floor > 0.5 ? floor + 1 : floor
        case .power:
            if left == 0, right < 0 { throw TemplateFailure("0.0 cannot be raised to a negative power") }
            let result = pow(left, right)
            if result.isNaN, !left.isNaN, !right.isNaN { throw TemplateFailure("power has no real result") }
            if result.isInfinite, left.isFinite, right.isFinite { throw TemplateFailure("float result too large") }
            return result
        }
    }

    func negated() throws -> Value {
        if let integer {
            let (result, overflow) = 0.subtractingReportingOverflow(integer)
            if overflow { throw TemplateFailure("integer result does not fit 64 bits") }
            return .int(result)
        }
        if case .float(let value) = self { return .float(-value) }
        if case .undefined(let undefined) = self { throw undefined.failure }
        throw TemplateFailure("bad operand type for unary -: '\(typeName)'")
    }

    func posited() throws -> Value {
        if let integer { return .int(integer) }
        if case .float = self { return self }
        if case .undefined(let undefined) = self { throw undefined.failure }
        throw TemplateFailure("bad operand type for unary +: '\(typeName)'")
    }
}

extension Text {
    /// The string with HTML's five special characters escaped, unless it is marked as HTML already.
    var escaped: Text {
        if isMarkup { return self }
        var result: [UInt8] = []
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "&"): result += "&amp;".utf8
            case UInt8(ascii: "<"): result += "&lt;".utf8
            case UInt8(ascii: ">"): result += "&gt;".utf8
            case UInt8(ascii: "'"): result += "&#39;".utf8
            case UInt8(ascii: "\""): result += "&#34;".utf8
            default: result.append(byte)
            }
        }
        return Text(utf8: result, isMarkup: true)
    }
}
