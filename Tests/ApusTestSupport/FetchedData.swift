#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What tools/test-data fetches into $APUS_TEST_MODELS (~/.cache/apus-test-models).
package enum FetchedData {
    /// The folder, there or not.
    package static let folder =
        variable("APUS_TEST_MODELS") ?? "\(variable("HOME") ?? ".")/.cache/apus-test-models"

    /// Whether what is missing fails tests (CI=true) instead of leaving them out.
    package static let isRequired = variable("CI") == "true"

    /// The path of a file or folder in it; nil if it is missing.
    package static func path(_ name: String) -> String? {
        let path = "\(folder)/\(name)"
        return access(path, R_OK) == 0 ? path : nil
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
