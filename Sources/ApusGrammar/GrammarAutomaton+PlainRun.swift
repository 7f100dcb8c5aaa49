/// Where plain characters lead some readings that return to the same place.
struct PlainStep {
    /// Whether every plain character leads on.
    let isTotal: Bool
    /// The states of these readings after one such character; what other readings add to them is left out.
    let successors: [Int32]
}

/// Where plain characters lead a set of nodes of one rule.
struct PlainTargets {
    /// Whether every plain character leads on.
    var isTotal = true
    /// The nodes behind one character: one set for all characters that have it in common.
    var sets: Set<[Int32]> = []
    /// How many more nodes may be looked at.
    fileprivate var budget = 20_000
}

extension GrammarAutomaton {
    /// States that are looked at for one answer, and readings of each.
    private static let largestGraph = 512
    private static let largestReadingCount = 256

    /// How many plain characters the text may go on with from a state.
    mutating func plainRun(from state: Int32) throws -> PlainRun {
        guard let graph = try plainGraph(from: state) else { return .unknown }
        // Each round looks one character further ahead.
        var runs = [PlainRun](repeating: PlainRun(certain: 0, possible: 0), count: graph.count)
        for _ in 0..<PlainCharacters.longestRun {
            let previous = runs
            for index in graph.indices.reversed() {
                var run = PlainRun(certain: 0, possible: 0)
                for step in graph[index] {
                    let next = step.successors.map { runs[Int($0)] }
                    run.possible = max(run.possible, 1 + (next.map(\.possible).max() ?? -1))
                    if step.isTotal { run.certain = max(run.certain, 1 + (next.map(\.certain).min() ?? -1)) }
                }
                runs[index].certain = min(run.certain, PlainCharacters.longestRun)
                runs[index].possible = min(run.possible, PlainCharacters.longestRun)
            }
            if runs == previous { break }
        }
        return runs[0]
    }

    /// The states that plain characters lead to, breadth first as far as runs are counted, successors by their place
    /// in this list; nil if there are too many.
    private mutating func plainGraph(from state: Int32) throws -> [[PlainStep]]? {
        var graph: [[PlainStep]] = []
        var states = [state]
        var places = [state: Int32(0)]
        var lastOfLevel = 1
        var level = 0
        while graph.count < states.count {
            if graph.count == lastOfLevel { (level, lastOfLevel) = (level + 1, states.count) }
            guard states.count <= Self.largestGraph else { return nil }
            guard level < PlainCharacters.longestRun else {
                graph.append([])
                continue
            }
            guard let steps = try plainStep(states[graph.count]) else { return nil }
            graph.append(
                steps.map { step in
                    let successors = step.successors.map { state in
                        if let place = places[state] { return place }
                        let place = Int32(truncatingIfNeeded: states.count)
                        places[state] = place
                        states.append(state)
                        return place
                    }
                    return PlainStep(isTotal: step.isTotal, successors: successors)
                }
            )
        }
        return graph
    }

    /// Where one plain character leads, by what its readings return to; nil if that is too much to find out.
    private mutating func plainStep(_ state: Int32) throws -> [PlainStep]? {
        if let known = plainSteps[state] { return known }
        let readings = readings(state)
        guard readings.count <= Self.largestReadingCount else { return nil }
        var steps: [PlainStep] = []
        for (stack, readings) in Dictionary(grouping: readings, by: \.stack).sorted(by: { $0.key < $1.key }) {
            guard let targets = plainTargets(of: readings.map(\.node)) else { return nil }
            var isTotal = targets.isTotal
            var successors: [Int32] = []
            for nodes in targets.sets.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                let next = try self.state(after: nodes.map { Configuration(node: $0, stack: stack) })
                if next == Self.dead { isTotal = false } else { successors.append(next) }
            }
            if !successors.isEmpty { steps.append(PlainStep(isTotal: isTotal, successors: successors)) }
        }
        plainSteps[state] = steps
        return steps
    }

    /// Nil if a character is not spelled out within one rule, or if there are too many to look at.
    private mutating func plainTargets(of nodes: [Int32]) -> PlainTargets? {
        if let known = plainTargets[nodes] { return known.budget > 0 ? known : nil }
        var targets = PlainTargets()
        for form in PlainCharacters.forms { follow(form[...], from: nodes, &targets) }
        plainTargets[nodes] = targets
        return targets.budget > 0 ? targets : nil
    }

    private func follow(_ form: ArraySlice<ClosedRange<UInt8>>, from nodes: [Int32], _ targets: inout PlainTargets) {
        guard let range = form.first else {
            targets.sets.insert(nodes)
            return
        }
        let classes = rules.byteClasses
        var isSeen: Set<[Int32]> = []
        for index in Int(classes.ofByte[Int(range.lowerBound)])...Int(classes.ofByte[Int(range.upperBound)]) {
            targets.budget -= nodes.count
            guard targets.budget > 0 else { return }
            let byte = classes.first[index]
            var next: [Int32] = []
            for node in nodes {
                let node = rules.nodes[Int(node)]
                guard node.kind == .bytes else {
                    targets.budget = 0
                    return
                }
                if node.low <= byte, byte <= node.high, !next.contains(node.next) { next.append(node.next) }
            }
            if next.isEmpty {
                targets.isTotal = false
            } else if isSeen.insert(next).inserted {
                follow(form.dropFirst(), from: next, &targets)
            }
        }
    }
}
