/// Searching, splitting and replacing on bytes: UTF-8 synchronizes itself, so a match of valid strings never starts
/// inside a code point.
extension Text {
    /// The first byte offset at or after `start` where `needle` occurs, ending at `end` at the latest.
    func firstOffset(of needle: Text, from start: Int, to end: Int? = nil, meter: Meter) throws -> Int? {
        let last = (end ?? utf8.count) - needle.utf8.count
        guard let first = needle.utf8.first else { return start <= last ? start : nil }
        var offset = start
        while offset <= last {
            if utf8[offset] == first, try matches(needle, at: offset, meter: meter) {
                try meter.spend(bytes: offset - start)
                return offset
            }
            offset += 1
        }
        try meter.spend(bytes: max(0, last - start))
        return nil
    }

    /// The last byte offset at or after `start` where `needle` occurs, ending at `end` at the latest.
    func lastOffset(of needle: Text, from start: Int, to end: Int, meter: Meter) throws -> Int? {
        let last = end - needle.utf8.count
        var offset = last
        while offset >= start {
            if try matches(needle, at: offset, meter: meter) {
                try meter.spend(bytes: last - offset)
                return offset
            }
            offset -= 1
        }
        try meter.spend(bytes: max(0, last - start))
        return nil
    }

    private func matches(_ needle: Text, at offset: Int, meter: Meter) throws -> Bool {
        var index = 0
        while index < needle.utf8.count {
            if utf8[offset + index] != needle.utf8[index] { return false }
            index += 1
            if index & 1023 == 0 { try meter.spend(bytes: 1024) }
        }
        return true
    }

    func contains(_ needle: Text, meter: Meter) throws -> Bool {
        try firstOffset(of: needle, from: 0, meter: meter) != nil
    }

    func hasPrefix(_ prefix: Text) -> Bool { utf8.starts(with: prefix.utf8) }

    func hasSuffix(_ suffix: Text) -> Bool {
        utf8.count >= suffix.utf8.count && utf8[(utf8.count - suffix.utf8.count)...].elementsEqual(suffix.utf8)
    }

    /// The bytes from `start` to `end` as a string; both lie on code point boundaries.
    func bytes(_ start: Int, _ end: Int) -> Text { Text(utf8: Array(utf8[start..<end])) }

    /// Splits at `separator`, at most `limit` times from the left (negative: no limit).
    func split(at separator: Text, limit: Int, meter: Meter) throws -> [Text] {
        var parts: [Text] = []
        var start = 0
        while limit < 0 || parts.count < limit {
            guard let offset = try firstOffset(of: separator, from: start, meter: meter) else { break }
            try meter.check(bytes: (parts.count + 1) * MemoryCharge.perElement)
            parts.append(bytes(start, offset))
            start = offset + separator.utf8.count
        }
        parts.append(bytes(start, utf8.count))
        return parts
    }

    /// Splits at `separator`, at most `limit` times from the right.
    func splitFromEnd(at separator: Text, limit: Int, meter: Meter) throws -> [Text] {
        var parts: [Text] = []
        var end = utf8.count
        while limit < 0 || parts.count < limit {
            guard let offset = try lastOffset(of: separator, from: 0, to: end, meter: meter) else { break }
            try meter.check(bytes: (parts.count + 1) * MemoryCharge.perElement)
            parts.append(bytes(offset + separator.utf8.count, end))
            end = offset
        }
        parts.append(bytes(0, end))
        return parts.reversed()
    }

    /// Replaces at most `limit` occurrences of `old` (negative: all) from the left.
    func replacing(_ old: Text, with new: Text, limit: Int, meter: Meter) throws -> Text {
        if limit == 0 { return self }
        var result: [UInt8] = []
        var start = 0
        var replaced = 0
        if old.isEmpty { return try interleaved(with: new, limit: limit, meter: meter) }
        while limit < 0 || replaced < limit, let offset = try firstOffset(of: old, from: start, meter: meter) {
            result += utf8[start..<offset]
            result += new.utf8
            try meter.check(bytes: result.count)
            start = offset + old.utf8.count
            replaced += 1
        }
        result += utf8[start...]
        return Text(utf8: result)
    }

    /// Python's replacement of the empty string: `new` before every code point and at the end.
    private func interleaved(with new: Text, limit: Int, meter: Meter) throws -> Text {
        var result: [UInt8] = []
        var replaced = 0
        for scalar in scalars {
            if limit < 0 || replaced < limit {
                result += new.utf8
                replaced += 1
                try meter.check(bytes: result.count)
            }
            result.append(scalar)
        }
        if limit < 0 || replaced < limit { result += new.utf8 }
        return Text(utf8: result)
    }
}
