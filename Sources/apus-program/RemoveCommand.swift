import ApusCore
import ApusStore
import ArgumentParser

/// `apus rm`: removes a model from the store.
struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove a model from the store.",
        discussion: """
            Contents that another model uses stay, and so do the caches of other programs. A model that is running \
            stays usable until it ends.

            Examples:
              apus rm smollm2
              apus rm --partial     what interrupted downloads left
            """
    )

    @Argument(help: "The model's name.")
    var name: String?

    @Flag(help: "Remove what interrupted downloads left.")
    var partial = false

    func validate() throws {
        guard name != nil || partial else { throw ValidationError("Expected a NAME or --partial.") }
    }

    func run() async throws {
        let store = ModelStore(folder: try StoreConfiguration().folder)
        var freed = 0
        if let name { freed += try await store.remove(name) }
        if partial { freed += try await store.removePartials() }
        Terminal.note("\(ByteCount.text(freed)) freed\n")
    }
}
