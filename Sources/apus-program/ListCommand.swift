import ApusCore
import ApusStore
import ArgumentParser

/// `apus list`: shows the models on this machine, and those that can be pulled by name.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the models in the store.",
        discussion: """
            Examples:
              apus list
              apus list --all      also what can be pulled by name
              apus list --json
            """
    )

    @Flag(help: "Also list what the catalogue has.")
    var all = false

    @Flag(help: "Print an array of JSON objects.")
    var json = false

    func run() throws {
        let configuration = try StoreConfiguration()
        let pulled = try ModelStore(folder: configuration.folder).manifests().map { ModelSummary($0) }
        let names = Set(pulled.map(\.name))
        let known = all ? try Catalogue.builtIn().models.filter { !names.contains($0.name) } : []
        let summaries = pulled + known.map(ModelSummary.init)
        if json {
            Terminal.write(try ModelSummary.jsonText(of: summaries) + "\n")
        } else if summaries.isEmpty {
            Terminal.note("no models yet; to get one: apus pull smollm2; to see what there is: apus list --all\n")
        } else {
            Terminal.write(table(summaries))
        }
    }

    private func table(_ summaries: [ModelSummary]) -> String {
        let rows =
            [["NAME", "SIZE", "LICENCE", "SOURCE"]]
            + summaries.map { summary in
                let size = summary.bytes.map(ByteCount.text)
                let state = summary.isPulled ? nil : "(not pulled)"
                return [
                    summary.name, [size, state].compactMap(\.self).joined(separator: " "),
                    summary.licence ?? "not stated", summary.source,
                ]
            }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return (cells + row.suffix(1)).joined(separator: "  ") + "\n"
        }.joined()
    }
}
