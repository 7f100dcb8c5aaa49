import ApusCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file of API keys that is read again when it changes.
///
/// A file that has become unreadable or malformed changes nothing: the keys read last stay, and the report says so.
/// Thread-safe.
package final class KeyFile: Sendable {
    private struct State {
        var ring: KeyRing
        var content: [UInt8]
        var checked: ContinuousClock.Instant
    }

    private let path: String
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    /// The most bytes a key file may have.
    private static let maximumByteCount = 1 << 20

    /// Reads a file.
    /// - Parameter report: is told of reloads and of what is wrong with a changed file.
    /// - Throws: `ApusError` naming the file, and the line of what is wrong.
    package init(path: String, report: @escaping @Sendable (String) -> Void = { _ in }) throws {
        self.path = path
        self.report = report
        let content = try Self.read(path)
        let ring = try KeyRing(parsing: String(decoding: content, as: UTF8.self), path: path)
        state = Mutex(State(ring: ring, content: content, checked: .now))
    }

    /// The keys, as the file had them at most a second ago.
    package func ring(now: ContinuousClock.Instant = .now) -> KeyRing {
        state.withLock { state in
            if state.checked.duration(to: now) >= .seconds(1) {
                state.checked = now
                reload(&state)
            }
            return state.ring
        }
    }

    private func reload(_ state: inout State) {
        do {
            let content = try Self.read(path)
            guard content != state.content else { return }
            state.content = content
            state.ring = try KeyRing(parsing: String(decoding: content, as: UTF8.self), path: path)
            report("\(path): keys read again")
        } catch {
            report("\(error); the keys read before stay")
        }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let content: [UInt8]
        do {
            content = Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw ApusError(.inputOutput, "\(path): cannot read the API keys", cause: error)
        }
        guard content.count <= maximumByteCount else {
            throw ApusError(.malformedFile, "\(path): expected at most 1 MiB of keys, found \(content.count) bytes")
        }
        return content
    }
}
