/// The evaluated arguments of a call.
struct Arguments {
    var positional: [Value] = []
    var keyword: [(name: String, value: Value)] = []

    var isEmpty: Bool { positional.isEmpty && keyword.isEmpty }

    /// Matches the arguments with a function's parameters, in order; nil where one was not given.
    func bind(_ function: String, _ parameters: [String], required: Int = 0) throws -> [Value?] {
        var bound: [Value?] = positional
        if bound.count > parameters.count {
            throw TemplateFailure(
                "\(function)() takes at most \(parameters.count) arguments (\(positional.count) given)"
            )
        }
        bound += Array(repeating: nil, count: parameters.count - bound.count)
        for (name, value) in keyword {
            guard let index = parameters.firstIndex(of: name) else {
                throw TemplateFailure("\(function)() got an unexpected keyword argument '\(name)'")
            }
            if bound[index] != nil {
                throw TemplateFailure("\(function)() got multiple values for argument '\(name)'")
            }
            bound[index] = value
        }
        for index in 0..<required where bound[index] == nil {
            throw TemplateFailure("\(function)() missing required argument: '\(parameters[index])'")
        }
        return bound
    }

    /// The only arguments, by position, as builtin methods take them.
    func exactly(_ function: String, _ counts: ClosedRange<Int>) throws -> [Value] {
        if let (name, _) = keyword.first {
            throw TemplateFailure("\(function)() got an unexpected keyword argument '\(name)'")
        }
        if !counts.contains(positional.count) {
            throw TemplateFailure(
                "\(function)() takes \(counts.lowerBound) to \(counts.upperBound) arguments (\(positional.count) given)"
            )
        }
        return positional
    }
}

extension Value {
    /// The value as an index or count; a bool counts as an integer, as in Python.
    func requireInteger() throws -> Int {
        if let integer { return integer }
        if case .undefined(let undefined) = self { throw undefined.failure }
        throw TemplateFailure("'\(typeName)' object cannot be interpreted as an integer")
    }

    func requireText(_ function: String) throws -> Text {
        if let text { return text }
        if case .undefined(let undefined) = self { throw undefined.failure }
        throw TemplateFailure("\(function) argument must be str, not \(typeName)")
    }
}
