/// What follows from a grammar's nodes: which can lead to an end, and which rules call themselves without progress.
struct GrammarAnalysis {
    private let nodes: [GrammarNode]
    private let starts: [Int32]
    /// Whether a finite text leads from a node to its rule's end.
    let isProductive: [Bool]
    private let isNullable: [Bool]

    init(nodes: [GrammarNode], starts: [Int32]) {
        self.nodes = nodes
        self.starts = starts
        let dependents = Dependents(nodes, starts)
        isProductive = Self.fixpoint(nodes, starts, dependents, bytesCount: true)
        isNullable = Self.fixpoint(nodes, starts, dependents, bytesCount: false)
    }

    /// For each node, those whose property depends on its own.
    private struct Dependents {
        var offsets: [Int]
        var list: [Int32]

        init(_ nodes: [GrammarNode], _ starts: [Int32]) {
            func targets(_ node: GrammarNode) -> [Int32] {
                switch node.kind {
                case .bytes: [node.next]
                case .split: [node.next, node.other]
                case .call: [node.next, starts[Int(node.other)]]
                case .end, .fail: []
                }
            }
            offsets = Array(repeating: 0, count: nodes.count + 1)
            for node in nodes { for target in targets(node) { offsets[Int(target) + 1] += 1 } }
            for index in nodes.indices { offsets[index + 1] += offsets[index] }
            list = Array(repeating: 0, count: offsets[nodes.count])
            var cursor = offsets
            for (index, node) in nodes.enumerated() {
                for target in targets(node) {
                    list[cursor[Int(target)]] = Int32(truncatingIfNeeded: index)
                    cursor[Int(target)] += 1
                }
            }
        }
    }

    /// The nodes from which the end is reached, with bytes or without; each edge is looked at once.
    private static func fixpoint(
        _ nodes: [GrammarNode],
        _ starts: [Int32],
        _ dependents: Dependents,
        bytesCount: Bool
    ) -> [Bool] {
        var holds = nodes.map { $0.kind == .end }
        var work = nodes.indices.filter { holds[$0] }
        while let index = work.popLast() {
            for dependent in dependents.list[dependents.offsets[index]..<dependents.offsets[index + 1]] {
                let node = nodes[Int(dependent)]
                guard !holds[Int(dependent)] else { continue }
                let isNew =
                    switch node.kind {
                    case .bytes: bytesCount
                    case .split: true
                    case .call: holds[Int(node.next)] && holds[Int(starts[Int(node.other)])]
                    case .end, .fail: false
                    }
                guard isNew else { continue }
                holds[Int(dependent)] = true
                work.append(Int(dependent))
            }
        }
        return holds
    }

    /// A rule that can call itself before it has matched a byte.
    func leftRecursiveRule() -> Int? {
        let edges = starts.map { firstCalls(from: $0) }
        var isDone = [Bool](repeating: false, count: starts.count)
        var isOpen = isDone
        for root in starts.indices where !isDone[root] {
            var path = [(rule: root, position: 0)]
            isOpen[root] = true
            while let (rule, position) = path.last {
                guard position < edges[rule].count else {
                    isDone[rule] = true
                    isOpen[rule] = false
                    path.removeLast()
                    continue
                }
                path[path.count - 1].position += 1
                let callee = edges[rule][position]
                if isOpen[callee] { return callee }
                guard !isDone[callee] else { continue }
                isOpen[callee] = true
                path.append((callee, 0))
            }
        }
        return nil
    }

    /// The rules that may be called from a node before a byte is matched.
    private func firstCalls(from start: Int32) -> [Int] {
        var seen: Set<Int32> = [start]
        var work = [start]
        var calls: Set<Int> = []
        func visit(_ node: Int32) { if seen.insert(node).inserted { work.append(node) } }
        while let index = work.popLast() {
            let node = nodes[Int(index)]
            switch node.kind {
            case .split:
                visit(node.next)
                visit(node.other)
            case .call:
                calls.insert(Int(node.other))
                if isNullable[Int(starts[Int(node.other)])] { visit(node.next) }
            case .bytes, .end, .fail: break
            }
        }
        return calls.sorted()
    }
}
