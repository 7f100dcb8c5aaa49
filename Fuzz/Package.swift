// swift-tools-version: 6.2
import PackageDescription

// The modules under test are links to the main package's sources, so that they are compiled with coverage feedback.
// A target is a folder `Sources/fuzz-NAME` with one file, a line here, a line in tools/fuzz and a folder `corpus/NAME`;
// `tools/fuzz` builds and runs them all.
let fuzzTargets: [(name: String, modules: [Target.Dependency])] = [
    ("gguf", ["ApusFormats", "ApusCore"]),
    ("safetensors", ["ApusFormats", "ApusCore"]),
    ("json", ["ApusFormats", "ApusCore"]),
    ("tokenizer", ["ApusTokenizers", "ApusFormats", "ApusCore"]),
    ("vocabulary", ["ApusTokenizers", "ApusFormats", "ApusCore"]),
    ("jinja", ["ApusChat", "ApusFormats", "ApusCore"]),
    ("detokenizer", ["ApusTokenizers", "ApusCore"]),
]

let package = Package(
    // The main package's name, since `package` access is by name.
    name: "apus",
    targets: [
        .target(name: "ApusCore"),
        .target(name: "ApusFormats", dependencies: ["ApusCore"]),
        .target(name: "ApusTokenizers", dependencies: ["ApusFormats", "ApusCore"]),
        .target(name: "ApusChat", dependencies: ["ApusFormats", "ApusCore"]),
        .target(name: "FuzzSupport"),
    ]
        + fuzzTargets.map { target in
            .executableTarget(
                name: "fuzz-\(target.name)",
                dependencies: target.modules + ["FuzzSupport"],
                swiftSettings: [.unsafeFlags(["-parse-as-library"])]
            )
        },
    swiftLanguageModes: [.v6]
)
