import Apus
import ApusCore
import ApusEval
import ApusQuantize
import ApusStore
import ArgumentParser

/// `apus show`: what a model is and what it will take.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a model's metadata, tensors, template, licence and memory plan.",
        discussion: """
            With --distribution every weight is read, and for each kind of matrix you see how far its outliers reach and \
            what rounding to 4 bits with one scale a row would change: why some models survive INT4 and others do not.

            Examples:
              apus show smollm2
              apus show ./model.gguf --tensors
              apus show smollm2 --json
              apus show smollm2 --context 2048 --kv q8_0
              apus show ./model.F16.gguf --distribution
              apus show ./model.F16.gguf --distribution --html weights.html
            """
    )

    @OptionGroup var target: ModelArgument
    @Flag(help: "List every tensor.")
    var tensors = false
    @Flag(help: "Print the chat template.")
    var template = false
    @Flag(help: "Read all weights and show their spread, their outliers and what INT4 would change.")
    var distribution = false
    @Option(
        help: "With --distribution: write a page with plots, which opens without a network.",
        completion: .file(extensions: ["html"])
    )
    var html: String?
    @Flag(help: "Replace the page if there is one.")
    var force = false
    @Flag(help: "Print one JSON object with everything.")
    var json = false
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func validate() throws {
        if html != nil, !distribution { throw ValidationError("--html: it is a page of --distribution; give both") }
    }

    func run() async throws {
        let options = model.options
        let resolved = try await target.resolve()
        guard !distribution else {
            let file = try ModelFile(path: resolved.path)
            if let html { try OutputFile.check(html, against: file.files.map(\.path), isForced: force) }
            let report = DistributionReport(
                try await Terminal.cancellingOnInterrupt {
                    defer { Terminal.showProgress() }
                    return try await MatrixDistribution.all(of: file) { done, total in
                        let columns = Terminal.columnCount
                        Terminal.showProgress(ProgressBar.text("weights", done, total, rate: 0, columnCount: columns))
                    }
                }
            )
            if let html {
                let page = DistributionPage(report, model: target.model, command: Terminal.commandLine)
                try PartFile(target: html).finish(with: Array(page.html.utf8))
            }
            return Terminal.write(json ? report.json : report.text)
        }
        let card = try ModelCard(resolved, options: options)
        if json {
            Terminal.write(card.jsonText + "\n")
        } else if template {
            guard let template = card.template else { throw ModelFile.missingTemplate }
            Terminal.write(template + "\n")
        } else {
            Terminal.write(card.text(listsTensors: tensors))
        }
    }
}
