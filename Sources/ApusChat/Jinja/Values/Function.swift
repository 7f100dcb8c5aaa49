/// A function of the library, or a method with its receiver.
final class Function: TemplateObject {
    typealias Body = (Arguments, Interpreter) throws -> Value

    let typeName = "builtin_function_or_method"
    let depth: Int
    private let name: String
    private let body: Body

    /// - Parameter depth: the nesting of the receiver, where there is one.
    init(_ name: String, depth: Int = 0, _ body: @escaping Body) {
        self.name = name
        self.depth = depth
        self.body = body
    }

    var isCallable: Bool { true }
    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value { try body(arguments, interpreter) }
    func representation(meter: Meter) -> String { "<built-in method \(name)>" }
}

/// A method of a builtin type.
struct Method<Receiver>: Sendable {
    typealias Body = @Sendable (Receiver, Arguments, Interpreter) throws -> Value
    private let body: Body

    init(_ body: @escaping Body) { self.body = body }

    func bound(to receiver: Receiver, _ name: String, depth: Int) -> Value {
        .object(Function(name, depth: depth) { [body] in try body(receiver, $0, $1) })
    }
}
