package import Apus
import ApusFormats

/// A loaded model under the name that requests use.
package struct ServedModel: Sendable {
    package let id: String
    package let model: Model
    /// When it was loaded, in seconds since 1970.
    package let created: Int

    package init(id: String, model: Model, created: Int) {
        self.id = id
        self.model = model
        self.created = created
    }
}

/// The models that a server serves.
package struct ModelRegistry: Sendable {
    /// In the order of the command line, at least one.
    package let models: [ServedModel]

    package init(_ models: [ServedModel]) { self.models = models }

    /// The model of a name; with one model, requests need not name it.
    /// - Throws: `ServiceError` (`unknownModel`) with the names there are.
    package func model(named name: String?) throws -> ServedModel {
        let names = models.map(\.id).joined(separator: ", ")
        guard let name else {
            if models.count == 1, let only = models.first { return only }
            throw ServiceError(.invalidRequest, "model: is missing; there are: \(names)", field: "model")
        }
        guard let found = models.first(where: { $0.id == name }) else {
            throw ServiceError(
                .unknownModel,
                "model: there is no \(name.quotedForMessage); there are: \(names)",
                field: "model"
            )
        }
        return found
    }
}
