/// Sorts integers in ascending order without allocating, however many there are.
///
/// The standard library's sort takes temporary memory, which the step loop must not.
struct KeySorter {
    private var scratch: [UInt64]
    private var offsets: [Int]

    /// Reserves memory for sorting `capacity` keys.
    init(capacity: Int) {
        scratch = Array(repeating: 0, count: capacity)
        offsets = Array(repeating: 0, count: 256)
    }

    /// Sorts by all 64 bits.
    ///
    /// Keys whose upper halves are equal must come in ascending order of their lower halves.
    mutating func sort(_ keys: inout [UInt64]) {
        if keys.count <= 256 {
            Self.heapSort(&keys)
        } else {
            radixSort(&keys)
        }
    }

    /// Heap sort: for few keys.
    static func heapSort(_ keys: inout [UInt64]) {
        for root in stride(from: keys.count / 2 - 1, through: 0, by: -1) { siftDown(&keys, root, keys.count) }
        sortHeap(&keys)
    }

    /// Sorts keys that form a heap.
    static func sortHeap(_ keys: inout [UInt64]) {
        var end = keys.count - 1
        while end > 0 {
            keys.swapAt(0, end)
            siftDown(&keys, 0, end)
            end -= 1
        }
    }

    /// Moves `keys[root]` down until no child among the first `count` keys is larger.
    static func siftDown(_ keys: inout [UInt64], _ root: Int, _ count: Int) {
        let key = keys[root]
        var hole = root
        while true {
            var child = 2 * hole + 1
            if child >= count { break }
            if child + 1 < count && keys[child + 1] > keys[child] { child += 1 }
            if keys[child] <= key { break }
            keys[hole] = keys[child]
            hole = child
        }
        keys[hole] = key
    }

    /// Moves the last key up until no parent is smaller.
    static func siftUp(_ keys: inout [UInt64]) {
        var hole = keys.count - 1
        let key = keys[hole]
        while hole > 0 {
            let parent = (hole - 1) / 2
            if keys[parent] >= key { break }
            keys[hole] = keys[parent]
            hole = parent
        }
        keys[hole] = key
    }

    /// Least significant digit first over the upper halves: four stable passes, so the result ends where it began.
    private mutating func radixSort(_ keys: inout [UInt64]) {
        precondition(keys.count <= scratch.count)
        let count = keys.count
        for shift in stride(from: UInt64(32), to: 64, by: 16) {
            Self.distribute(count, from: keys, to: &scratch, shift: shift, &offsets)
            Self.distribute(count, from: scratch, to: &keys, shift: shift + 8, &offsets)
        }
    }

    private static func distribute(
        _ count: Int,
        from source: [UInt64],
        to target: inout [UInt64],
        shift: UInt64,
        _ offsets: inout [Int]
    ) {
        for digit in 0..<256 { offsets[digit] = 0 }
        for index in 0..<count { offsets[Int(source[index] >> shift & 255)] += 1 }
        var start = 0
        for digit in 0..<256 {
            let length = offsets[digit]
            offsets[digit] = start
            start += length
        }
        for index in 0..<count {
            let key = source[index]
            let digit = Int(key >> shift & 255)
            target[offsets[digit]] = key
            offsets[digit] += 1
        }
    }
}
