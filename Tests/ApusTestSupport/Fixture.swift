/// Files under Fixtures/ in the repository.
package enum Fixture {
    /// The path of a file or folder under Fixtures/.
    package static func path(_ name: String, source: String = #filePath) -> String {
        // This file lies in Tests/ApusTestSupport.
        let root = source.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return "\(root)/Fixtures/\(name)"
    }
}
