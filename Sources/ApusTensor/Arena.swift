import ApusCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// One large allocation with a name: weights, KV blocks, scratch.
///
/// Parts are handed out in order and never given back.
///
/// The memory is reserved at once and becomes resident as it is touched, in huge pages where the kernel has them.
/// Handing out parts is not thread-safe; the parts themselves belong to whoever asked.
public final class Arena {
    /// What the memory is for, as the memory plan prints it.
    public let name: String
    /// Bytes reserved.
    public let byteCount: Int
    /// Bytes handed out.
    public private(set) var usedByteCount = 0
    private let base: UnsafeMutableRawPointer

    /// Every part starts at a multiple of this.
    public static let alignment = 64

    /// Reserves memory.
    /// - Throws: `ApusError` (`outOfMemory`) naming the arena and its size.
    public init(name: String, byteCount: Int) throws {
        let size = max(byteCount, Self.alignment)
        guard
            let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            address != MAP_FAILED
        else {
            throw ApusError(.outOfMemory, "cannot reserve \(size) bytes for \(name)")
        }
        #if os(Linux)
        madvise(address, size, MADV_HUGEPAGE)
        #endif
        self.name = name
        self.byteCount = size
        base = address
    }

    deinit { munmap(base, byteCount) }

    /// `byteCount` rounded up to the alignment: what a part takes.
    public static func roundedUp(_ byteCount: Int) -> Int { (byteCount + alignment - 1) / alignment * alignment }

    /// The next part.
    ///
    /// Asking for more than was reserved is a programming error.
    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let size = Self.roundedUp(byteCount)
        precondition(size <= self.byteCount - usedByteCount, "arena \(name) is too small")
        defer { usedByteCount += size }
        return base + usedByteCount
    }

    /// A part as float rows.
    package func allocateRows(_ rowCount: Int, width: Int) -> FloatRows {
        let memory = allocate(byteCount: rowCount * width * MemoryLayout<Float>.stride)
        return FloatRows(
            base: memory.bindMemory(to: Float.self, capacity: rowCount * width),
            rowCount: rowCount,
            width: width,
            stride: width
        )
    }

    /// A part as `count` zeroed values of a trivial type.
    package func allocate<Element: BitwiseCopyable>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        allocate(byteCount: count * MemoryLayout<Element>.stride).bindMemory(to: type, capacity: count)
    }
}
