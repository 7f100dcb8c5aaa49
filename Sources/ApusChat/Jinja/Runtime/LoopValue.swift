/// The `loop` variable of a `for` loop.
final class LoopValue: TemplateObject {
    let typeName = "LoopContext"
    private var source: ValueIterator
    /// The number of elements, where the iterable knows it or it has been asked for.
    private var knownLength: Int?
    private var index0 = -1
    private var before: Value?
    private var current: Value?
    /// The element that has been looked at ahead of its turn; `.some(nil)` when there is none left.
    private var after: Value??
    private var lastChanged: [Value]?
    let depth: Int
    private let depth0: Int
    private let recurse: ((Value) throws -> Value)?

    /// - Parameters:
    ///   - depth: the nesting of the iterable, which the loop deepens by one.
    ///   - depth0: the recursive loops around this one.
    ///   - recurse: renders the loop over another iterable, nil for a loop that isn't recursive.
    init(
        _ source: ValueIterator,
        length: Int?,
        depth: Int,
        depth0: Int,
        recurse: ((Value) throws -> Value)?
    ) throws {
        self.source = source
        self.depth = depth + 1
        knownLength = length
        self.depth0 = depth0
        self.recurse = recurse
        try Meter.check(depth: self.depth)
    }

    var isCallable: Bool { true }

    /// The next element of the loop, nil at its end.
    func advance() throws -> Value? {
        let next = try after ?? source.next()
        after = nil
        guard let next else { return nil }
        index0 += 1
        before = current
        current = next
        return next
    }

    private func peek() throws -> Value? {
        if let after { return after }
        let next = try source.next()
        after = .some(next)
        return next
    }

    private func countElements(meter: Meter) throws -> Int {
        if let knownLength { return knownLength }
        var rest: [Value] = []
        while let item = try source.next() {
            try meter.check(bytes: (rest.count + 1) * MemoryCharge.perElement)
            rest.append(item)
        }
        source = ValueIterator(rest)
        let peeked = if case .some(.some) = after { 1 } else { 0 }
        let length = rest.count + index0 + 1 + peeked
        knownLength = length
        return length
    }

    func length() throws -> Int? { knownLength }

    func attribute(_ name: String, _ interpreter: Interpreter) throws -> Value? {
        switch name {
        case "index": .int(index0 + 1)
        case "index0": .int(index0)
        case "revindex": .int(try countElements(meter: interpreter.meter) - index0)
        case "revindex0": .int(try countElements(meter: interpreter.meter) - index0 - 1)
        case "first": .bool(index0 == 0)
        case "last": .bool(try peek() == nil)
        case "length": .int(try countElements(meter: interpreter.meter))
        case "depth": .int(depth0 + 1)
        case "depth0": .int(depth0)
        case "previtem": before ?? .undefined(Undefined(message: "there is no previous item"))
        case "nextitem": try peek() ?? .undefined(Undefined(message: "there is no next item"))
        case "cycle": .object(Function("cycle") { [index0] arguments, _ in try LoopValue.cycle(arguments, index0) })
        case "changed":
            .object(
                Function("changed") { arguments, interpreter in
                    .bool(try self.isChanged(arguments.positional, meter: interpreter.meter))
                }
            )
        default: nil
        }
    }

    private static func cycle(_ arguments: Arguments, _ index: Int) throws -> Value {
        if arguments.positional.isEmpty { throw TemplateFailure("no items for cycling given") }
        return arguments.positional[index % arguments.positional.count]
    }

    private func isChanged(_ values: [Value], meter: Meter) throws -> Bool {
        if let last = lastChanged, last.count == values.count,
            try zip(last, values).allSatisfy({ try $0.isEqual(to: $1, meter: meter) })
        {
            return false
        }
        lastChanged = values
        return true
    }

    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        guard let recurse else {
            throw TemplateFailure("The loop must have the 'recursive' marker to be called.")
        }
        guard let iterable = try arguments.bind("loop", ["iterable"], required: 1)[0] else { return .none }
        return try recurse(iterable)
    }

    func representation(meter: Meter) throws -> String {
        "<LoopContext \(index0 + 1)/\(try countElements(meter: meter))>"
    }
}

extension Interpreter {
    func run(_ loop: Loop) throws -> Flow {
        try run(loop, over: try evaluate(loop.iterable), in: frame, depth0: 0)
    }

    private func run(_ loop: Loop, over iterable: Value, in outer: Frame, depth0: Int) throws -> Flow {
        var length: Int?
        var source = try iterable.iterator(meter: meter)
        if let filter = loop.filter {
            source = filtered(source, loop.target, filter.scope, filter.test, in: outer)
        } else {
            length = try iterable.length()
        }
        let state = try LoopValue(
            source,
            length: length,
            depth: iterable.depth,
            depth0: depth0,
            recurse: loop.isRecursive
                ? { [unowned self] inner in
                    try nested {
                        try capture { _ = try run(loop, over: inner, in: outer, depth0: depth0 + 1) }
                    }
                } : nil
        )
        var hasCompletedIteration = false
        while let item = try state.advance() {
            try meter.step()
            let flow = try inFrame(loop.body.scope, parent: outer) { frame in
                try assign(item, to: loop.target)
                frame.set("loop", .object(state))
                return try execute(loop.body.statements)
            }
            if flow == .breakLoop { break }
            // `continue` skips the note that the loop ran, so that `else` may follow it: Jinja does the same.
            if flow == .normal { hasCompletedIteration = true }
        }
        guard let otherwise = loop.otherwise, !hasCompletedIteration else { return .normal }
        return try inFrame(otherwise.scope, parent: outer) { _ in try execute(otherwise.statements) }
    }

    /// The elements that pass the loop's test, which is evaluated when each is asked for.
    private func filtered(
        _ source: ValueIterator,
        _ target: Target,
        _ scope: Scope,
        _ test: Expression,
        in outer: Frame
    ) -> ValueIterator {
        ValueIterator { [unowned self] in
            while let item = try source.next() {
                try meter.step()
                let isWanted = try inFrame(scope, parent: outer) { _ in
                    try assign(item, to: target)
                    return try evaluate(test).isTruthy
                }
                if isWanted { return item }
            }
            return nil
        }
    }
}
