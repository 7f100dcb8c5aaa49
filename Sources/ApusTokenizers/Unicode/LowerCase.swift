/// Lower case, code point by code point, without regard to context.
enum LowerCase {
    private static let mappings: [UInt32: [UInt32]] = {
        var mappings: [UInt32: [UInt32]] = [:]
        var numbers = PackedNumbers(UnicodeData.lowercase)
        var scalar = 0
        while let delta = numbers.next(), let header = numbers.next() {
            scalar += delta
            let parts = (0..<header >> 1).compactMap { _ in numbers.nextSigned() }
            mappings[UInt32(truncatingIfNeeded: scalar)] = parts.map { UInt32(truncatingIfNeeded: scalar + $0) }
        }
        return mappings
    }()

    static func apply(to scalars: [UInt32]) -> [UInt32] {
        let mappings = mappings
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        for scalar in scalars {
            if scalar < 0x80 {
                result.append((0x41...0x5A).contains(scalar) ? scalar | 0x20 : scalar)
            } else if let mapped = mappings[scalar] {
                result += mapped
            } else {
                result.append(scalar)
            }
        }
        return result
    }
}
