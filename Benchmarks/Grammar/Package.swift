// swift-tools-version: 6.2
import PackageDescription

// Times of masks, and random walks that other tools judge. The modules are links to the main package's sources, since
// grammars are no part of the library's public face.
let package = Package(
    // The main package's name, since `package` access is by name.
    name: "apus",
    platforms: [.macOS(.v15)],
    targets: [
        .target(name: "ApusCore"),
        .target(name: "ApusFormats", dependencies: ["ApusCore"]),
        .target(name: "ApusTokenizers", dependencies: ["ApusFormats", "ApusCore"]),
        .target(name: "ApusGrammar", dependencies: ["ApusTokenizers", "ApusFormats", "ApusCore"]),
        .executableTarget(
            name: "GrammarBenchmarks",
            dependencies: ["ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore"]
        ),
    ],
    swiftLanguageModes: [.v6]
)
