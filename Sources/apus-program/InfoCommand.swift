import Apus
import ApusCore
import ArgumentParser

/// `apus info`: the machine and the build.
struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show CPU, kernel tier, limits and build.",
        discussion: """
            Examples:
              apus info
              APUS_KERNELS=avx2 apus info --json
            """
    )

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let rows: [(key: String, value: String)] = [
            ("version", Program.version),
            ("cpu", Processor.name),
            ("tier", try KernelTier.fromEnvironment().rawValue),
            ("tiers", KernelTier.available.map(\.rawValue).joined(separator: ", ")),
            ("threads", "\(ProcessorCount.available)"),
            ("memory_limit", ByteCount.text(HostMemory.limit)),
            ("quant_types", ElementType.allCases.map(\.description).joined(separator: ", ")),
            ("architectures", ModelFile.supportedArchitectures.joined(separator: ", ")),
        ]
        guard json else {
            for row in rows { Terminal.write("\(row.key.padded(to: 16))\(row.value)\n") }
            return
        }
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            for row in rows {
                writer.key(row.key)
                writer.value(row.value)
            }
        }
        Terminal.write(writer.text + "\n")
    }
}
