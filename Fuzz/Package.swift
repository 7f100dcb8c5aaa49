// swift-tools-version: 6.2
import PackageDescription

// The modules under test are links to the main package's sources, so that they are compiled with coverage feedback.
// A target is a folder `Sources/fuzz-NAME` with one file, a line here, a line in tools/fuzz and a folder `corpus/NAME`;
// `tools/fuzz` builds and runs them all.
let fuzzTargets: [(name: String, modules: [Target.Dependency])] = [
    ("gguf", ["ApusFormats", "ApusCore"]),
    ("safetensors", ["ApusFormats", "ApusCore"]),
    ("importance", ["ApusFormats", "ApusCore"]),
    ("json", ["ApusFormats", "ApusCore"]),
    ("tokenizer", ["ApusTokenizers", "ApusFormats", "ApusCore"]),
    ("vocabulary", ["ApusTokenizers", "ApusFormats", "ApusCore"]),
    ("jinja", ["ApusChat", "ApusFormats", "ApusCore"]),
    ("detokenizer", ["ApusTokenizers", "ApusCore"]),
    ("grammar", ["ApusGrammar", "ApusFormats", "ApusCore"]),
    ("request", ["ApusServe", "ApusFormats", "ApusCore"]),
]

let package = Package(
    // The main package's name, since `package` access is by name.
    name: "apus",
    targets: [
        .target(name: "ApusCore"),
        .target(name: "ApusFormats", dependencies: ["ApusCore"]),
        .target(name: "ApusTokenizers", dependencies: ["ApusFormats", "ApusCore"]),
        .target(name: "ApusGrammar", dependencies: ["ApusTokenizers", "ApusFormats", "ApusCore"]),
        .target(name: "ApusChat", dependencies: ["ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore"]),
        .target(name: "CApusKernels", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "ApusTensor", dependencies: ["CApusKernels", "ApusCore"]),
        .target(name: "ApusNN", dependencies: ["ApusTensor", "ApusCore"]),
        .target(name: "ApusModels", dependencies: ["ApusNN", "ApusFormats", "ApusTensor", "ApusCore"]),
        .target(name: "ApusEngine", dependencies: ["ApusNN", "ApusTensor", "ApusCore"]),
        .target(
            name: "Apus",
            dependencies: [
                "ApusEngine", "ApusChat", "ApusGrammar", "ApusModels", "ApusNN", "ApusTokenizers", "ApusTensor",
                "ApusFormats", "ApusCore",
            ]
        ),
        // Without what needs packages from elsewhere: the sockets, the hashes of keys, the page.
        .target(
            name: "ApusServe",
            dependencies: [
                "Apus", "ApusEngine", "ApusChat", "ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore",
            ],
            exclude: [
                "HTTP", "Page", "Operations/API.swift", "Operations/KeyFile.swift", "Operations/KeyRing.swift",
                "Operations/PageEndpoints.swift",
            ]
        ),
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

// As the main package has them: what an import gives depends on it.
for target in package.targets where target.type == .regular {
    target.swiftSettings = [.enableUpcomingFeature("InternalImportsByDefault")]
}
