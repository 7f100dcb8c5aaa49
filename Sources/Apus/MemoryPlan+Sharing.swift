extension MemoryPlan {
    /// Plans for models under one limit: each with room for as many contexts, up to those asked for, as fit beside all the
    /// others.
    ///
    /// Models that do not fit beside each other at all have the plans they would have alone, and take turns.
    /// - Throws: `ApusError` if one does not even fit alone.
    package static func sharing(_ models: [ModelFacts], options: ModelOptions) throws -> [MemoryPlan] {
        var options = options
        let alone = try models.map { try $0.memoryPlan(options: options) }
        var plans = alone
        while !fit(plans, options.effectiveMemoryLimit) {
            guard options.contextCount > 1 else { return alone }
            options.contextCount /= 2
            plans = try models.map { try $0.memoryPlan(options: options) }
        }
        return plans
    }

    /// Whether models of these plans can be loaded at once.
    package static func fit(_ plans: [MemoryPlan], _ limit: Int) -> Bool {
        var rest = limit
        for plan in plans {
            rest -= plan.total
            if rest < 0 { return false }
        }
        return true
    }

    /// Bytes that each of several models may take beside its plan while all are loaded; nil if they cannot be.
    package static func spare(beside plans: [MemoryPlan], _ limit: Int) -> Int? {
        fit(plans, limit) ? plans.reduce(limit) { $0 - $1.total } / plans.count : nil
    }

    /// The options that load a model as planned, whatever else is loaded.
    package func fix(_ options: inout ModelOptions) {
        options.memoryLimit = limit
        options.contextLength = contextLength
        options.kvPositionCount = kvPositionCount
        options.contextCount = sizes.sequenceCount
    }
}
