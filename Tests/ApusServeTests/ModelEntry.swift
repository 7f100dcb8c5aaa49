import Apus
import ApusServe

extension ModelRegistry.Entry {
    /// A model of a file, planned alone.
    init(id: String, path: String, options: ModelOptions) throws {
        let plan = try ModelFacts(ModelFile(path: path)).memoryPlan(options: options)
        self.init(id: id, plan: plan) { try Model(path: path, options: options) }
    }
}
