import ApusCore
import ApusStore

/// The rules for a file that a command writes.
enum OutputFile {
    /// Refuses to write over anything unasked, and over a source at all.
    static func check(_ path: String, against sources: [String], isForced: Bool) throws {
        guard let present = FileSystem.realPath(path) else { return }
        if sources.contains(where: { FileSystem.realPath($0) == present }) {
            throw ApusError(.invalidArgument, "\(path): is the source itself: give another name")
        }
        guard isForced else { throw ApusError(.invalidArgument, "\(path): exists; --force replaces it") }
    }
}
