// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of Apus compiles with: strict imports, no implicit existentials, no warnings.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "apus",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Apus", targets: ["Apus"]),
        .executable(name: "apus", targets: ["apus"]),
    ],
    traits: [
        .trait(name: "Hub", description: "Downloads from the Hugging Face hub over HTTPS (adds an HTTP client)."),
        .trait(name: "Serve", description: "The server, `apus serve` (adds an HTTP server)."),
        // Not on by default: SwiftPM fetches a default trait's dependencies for every user of the library product.
        .default(enabledTraits: []),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.0.0"),
    ],
    targets: [
        // ground
        .target(name: "CApusKernels", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "ApusCore", swiftSettings: strict),
        // files
        .target(name: "ApusFormats", dependencies: ["ApusCore"], swiftSettings: strict),
        // numbers
        .target(name: "ApusTensor", dependencies: ["CApusKernels", "ApusCore"], swiftSettings: strict),
        // text
        .target(name: "ApusTokenizers", dependencies: ["ApusFormats", "ApusCore"], swiftSettings: strict),
        // layers
        .target(name: "ApusNN", dependencies: ["ApusTensor", "ApusCore"], swiftSettings: strict),
        // models
        .target(
            name: "ApusModels",
            dependencies: ["ApusNN", "ApusFormats", "ApusTensor", "ApusCore"],
            swiftSettings: strict
        ),
        // engine
        .target(
            name: "ApusGrammar",
            dependencies: ["ApusTokenizers", "ApusFormats", "ApusCore"],
            swiftSettings: strict
        ),
        .target(
            name: "ApusChat",
            dependencies: ["ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore"],
            swiftSettings: strict
        ),
        .target(name: "ApusEngine", dependencies: ["ApusNN", "ApusTensor", "ApusCore"], swiftSettings: strict),
        // face
        .target(
            name: "Apus",
            dependencies: [
                "ApusEngine", "ApusChat", "ApusGrammar", "ApusModels", "ApusNN", "ApusTokenizers", "ApusTensor",
                "ApusFormats", "ApusCore",
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ApusEval",
            dependencies: [
                "Apus", "ApusChat", "ApusEngine", "ApusModels", "ApusNN", "ApusFormats", "ApusTensor", "ApusCore",
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ApusQuantize",
            dependencies: ["Apus", "ApusModels", "ApusTokenizers", "ApusFormats", "ApusTensor", "ApusCore"],
            swiftSettings: strict
        ),
        // front end
        .target(
            name: "ApusStore",
            dependencies: [
                "ApusFormats", "ApusCore",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["Hub"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Hub"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["Hub"])),
            ],
            resources: [.embedInCode("catalogue.json"), .embedInCode("Sources/fetch_wheel.py")],
            swiftSettings: strict
        ),
        .target(
            name: "ApusServe",
            dependencies: [
                "Apus", "ApusEngine", "ApusChat", "ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird", condition: .when(traits: ["Serve"])),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: .when(traits: ["Serve"])),
                .product(name: "HTTPTypes", package: "swift-http-types", condition: .when(traits: ["Serve"])),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Serve"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Serve"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Serve"])),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["Serve"])
                ),
                .product(
                    name: "UnixSignals",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["Serve"])
                ),
            ],
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/page.css"), .embedInCode("Page/page.js"),
            ],
            swiftSettings: strict
        ),
        // programs
        .executableTarget(
            name: "apus",
            dependencies: [
                "Apus", "ApusServe", "ApusStore", "ApusEval", "ApusQuantize", "ApusGrammar", "ApusTensor", "ApusCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Serve"])),
            ],
            path: "Sources/apus-program",
            swiftSettings: strict
        ),
        // tests
        .target(
            name: "ApusTestSupport",
            dependencies: ["ApusEngine", "ApusModels", "ApusNN", "ApusFormats", "ApusTensor", "ApusCore"],
            path: "Tests/ApusTestSupport",
            swiftSettings: strict
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(name: "ApusCoreTests", dependencies: ["ApusCore", "ApusTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ApusFormatsTests",
            dependencies: ["ApusFormats", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusTensorTests",
            dependencies: ["ApusTensor", "CApusKernels", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusTokenizersTests",
            dependencies: ["ApusTokenizers", "ApusFormats", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusNNTests",
            dependencies: ["ApusNN", "ApusTensor", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusModelsTests",
            dependencies: ["ApusModels", "ApusNN", "ApusFormats", "ApusTensor", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusChatTests",
            dependencies: [
                "ApusChat", "ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore", "ApusTestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusGrammarTests",
            dependencies: ["ApusGrammar", "ApusTokenizers", "ApusFormats", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusEngineTests",
            dependencies: ["ApusEngine", "ApusNN", "ApusTensor", "ApusCore", "ApusTestSupport"],
            exclude: ["Fixtures"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusTests",
            dependencies: [
                "Apus", "ApusEngine", "ApusModels", "ApusChat", "ApusTokenizers", "ApusNN", "ApusTensor", "ApusFormats",
                "ApusCore", "ApusTestSupport", "CAllocationCounter",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusEvalTests",
            dependencies: ["ApusEval", "Apus", "ApusFormats", "ApusTensor", "ApusCore", "ApusTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusQuantizeTests",
            dependencies: [
                "ApusQuantize", "Apus", "ApusModels", "ApusNN", "ApusTokenizers", "ApusFormats", "ApusTensor",
                "ApusCore",
                "ApusTestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusStoreTests",
            dependencies: ["ApusStore", "ApusCore", "ApusTestSupport"],
            exclude: ["Fixtures"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusServeTests",
            dependencies: [
                "ApusServe", "Apus", "ApusEngine", "ApusChat", "ApusTokenizers", "ApusFormats", "ApusCore",
                "ApusTestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ProgramTests",
            dependencies: [
                "apus", "ApusFormats", "ApusCore", "ApusTestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Help", "measured.py"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)

// tools/sanitize sets it: the front end's dependencies would be most of what its builds compile.
if Context.environment["APUS_WITHOUT_FRONT_END"] != nil {
    package.dependencies = []
    package.products.removeAll { $0.name == "apus" }
    let frontEnd = ["ApusStore", "ApusServe", "apus", "ApusStoreTests", "ApusServeTests", "ProgramTests"]
    package.targets.removeAll { frontEnd.contains($0.name) }
}
