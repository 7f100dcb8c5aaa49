/// The variables of a block that is being executed.
///
/// Macros keep the frame they were defined in.
final class Frame {
    private enum Slot {
        /// The block only reads the name, which a block around it holds.
        case outer
        case missing
        case value(Value)
    }

    private let scope: Scope
    private let parent: Frame?
    private var slots: [Slot]

    init(_ scope: Scope, parent: Frame?, context: [String: Value]) {
        self.scope = scope
        self.parent = parent
        slots = []
        slots.reserveCapacity(scope.symbols.count)
        for (name, symbol) in zip(scope.names, scope.symbols) {
            slots.append(Frame.initialSlot(name, symbol, parent, context))
        }
    }

    private static func initialSlot(
        _ name: String,
        _ symbol: Scope.Symbol,
        _ parent: Frame?,
        _ context: [String: Value]
    ) -> Slot {
        if symbol.isParameter { return .missing }
        switch parent?.find(name) {
        case .value(let value): return symbol.isStored ? .value(value) : .outer
        case .missing: return symbol.isStored ? .missing : .outer
        case .outer, nil: return symbol.isResolved ? context[name].map(Slot.value) ?? .missing : .missing
        }
    }

    /// The slot that `name` refers to, nil if no block around knows it.
    private func find(_ name: String) -> Slot? {
        var frame: Frame? = self
        while let current = frame {
            if let index = current.scope.index[name] {
                let slot = current.slots[index]
                guard case .outer = slot else { return slot }
            }
            frame = current.parent
        }
        return nil
    }

    /// The value of `name`, nil if it has none yet.
    subscript(name: String) -> Value? {
        guard case .value(let value) = find(name) else { return nil }
        return value
    }

    /// The variables that this block and those around it have assigned.
    func assigned() -> [String: Value] {
        var values = parent?.assigned() ?? [:]
        for (index, name) in scope.names.enumerated() where scope.symbols[index].isStored {
            if case .value(let value) = slots[index] { values[name] = value }
        }
        return values
    }

    /// Whether a name that the block's scope declares has no value yet.
    func isMissing(_ name: String) -> Bool {
        guard let index = scope.index[name], case .missing = slots[index] else { return false }
        return true
    }

    /// Assigns to a name that the block's scope declares.
    func set(_ name: String, _ value: Value) {
        if let index = scope.index[name] { slots[index] = .value(value) }
    }

    /// Forgets all values, which ends reference cycles through macros.
    func clear() { slots = Array(repeating: .missing, count: slots.count) }
}
