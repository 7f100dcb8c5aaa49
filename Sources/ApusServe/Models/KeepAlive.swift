/// How long a model stays loaded after its last request.
package struct KeepAlive: Sendable, Equatable {
    /// The time; nil for as long as nothing else needs the memory.
    package let duration: Duration?

    package static let forever = KeepAlive(duration: nil)

    private init(duration: Duration?) { self.duration = duration }

    /// Reads `90s`, `5m`, `1h`, a number of seconds, or `forever`.
    package init?(_ text: String) {
        if text == "forever" {
            self = .forever
            return
        }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        let unit = text.last.flatMap { units[$0] }
        guard let count = Int(unit == nil ? text[...] : text.dropLast()), (0...Self.longest).contains(count) else {
            return nil
        }
        self.init(duration: .seconds(count * (unit ?? 1)))
    }

    private static let longest = 1_000_000_000
}
