internal import ApusTensor

/// What keys and values depend on beside the tokens, in 128 bits: models of different fingerprints share nothing.
///
/// It tells models apart that are different by accident, not one that was made to look like another.
package struct ModelFingerprint: Hashable, Sendable {
    private var high: UInt64 = 1
    private var low: UInt64 = 2

    package init() {}

    /// Takes in one more number; their order counts.
    package mutating func combine(_ number: UInt64) {
        high = Checksum.mix(high, number)
        low = Checksum.mix(low, Checksum.scatter(number ^ high))
    }

    /// Takes in bytes, and how many there are.
    package mutating func combine(_ bytes: some Collection<UInt8>) {
        combine(UInt64(bytes.count))
        for byte in bytes { combine(UInt64(byte)) }
    }

    /// The bits as 32 digits: the name of the model's folder.
    package var text: String { BlockFile.hexadecimal(Checksum.scatter(high)) + BlockFile.hexadecimal(Checksum.scatter(low)) }

    /// The bits, as a file's head states them.
    package var words: [UInt64] { [Checksum.scatter(high), Checksum.scatter(low)] }
}
