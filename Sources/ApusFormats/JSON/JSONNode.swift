/// One value of a document, in eight bytes.
///
/// A scalar keeps the offset and length of its text (a string's without the quotes), a container the index of the node
/// after its last descendant and the number of its members or elements. An object's members are two nodes each.
struct JSONNode: Sendable {
    enum Kind: UInt32 {
        case null
        case `false`
        case `true`
        case integer
        case double
        case string
        case escapedString
        case array
        case object
    }

    private let position: UInt32
    private let kindAndCount: UInt32

    static let maximumCount = (1 << 28) - 1

    init(_ kind: Kind, at position: Int, count: Int) {
        self.position = UInt32(truncatingIfNeeded: position)
        kindAndCount = kind.rawValue << 28 | UInt32(truncatingIfNeeded: count)
    }

    var kind: Kind { Kind(rawValue: kindAndCount >> 28) ?? .null }
    /// Bytes of a scalar's text; elements of an array; members of an object.
    var count: Int { Int(kindAndCount & 0x0FFF_FFFF) }
    /// Where a scalar's text starts.
    var offset: Int { Int(position) }
    /// The index of the node after a container's last descendant.
    var end: Int { Int(position) }
    var isContainer: Bool { kindAndCount >> 28 >= Kind.array.rawValue }
}
