// swift-tools-version: 6.2
import PackageDescription

// Benchmarks of what has no benchmark elsewhere: kernels and the engine are measured by
// `apus bench`. Uses the library as a program of anyone's would.
let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "apus", path: "..")],
    targets: [
        .executableTarget(name: "TextBenchmarks", dependencies: [.product(name: "Apus", package: "apus")])
    ],
    swiftLanguageModes: [.v6]
)
