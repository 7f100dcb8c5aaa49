package import Apus

/// A loaded model under the name that requests use.
///
/// As long as one of these is held, the model stays loaded.
package struct ServedModel: Sendable {
    package let id: String
    package let model: Model
    private let lease: ModelLease

    init(id: String, model: Model, lease: ModelLease) {
        self.id = id
        self.model = model
        self.lease = lease
    }
}

/// Keeps a model loaded until it is let go.
final class ModelLease: Sendable {
    private let end: @Sendable () -> Void

    init(_ end: @escaping @Sendable () -> Void) { self.end = end }

    deinit { end() }
}
