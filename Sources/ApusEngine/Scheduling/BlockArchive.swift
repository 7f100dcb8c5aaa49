internal import ApusTensor
internal import Synchronization

/// Where full blocks go to last longer than the pool's memory, as the scheduler sees it.
///
/// The scheduler only gives orders; `finishSaving` and `finishRestoring` tell it when they are carried out.
package protocol BlockArchive: AnyObject {
    /// Whether a block is likely to be there to restore.
    func mayRestore(_ name: BlockName) -> Bool
    /// What would come of an order to save a block.
    func saving(of name: BlockName) -> SavingState
    /// Saves a block, which stays as it is until then.
    func save(_ order: SaveOrder)
    /// Fills blocks, which nobody else has until then.
    func restore(_ order: RestoreOrder)
    /// Notes that blocks, given from a text's start on, were of use.
    func touch(_ names: [BlockName])
}

/// What would come of an order to save a block.
package enum SavingState {
    /// It is saved, or will be.
    case done
    case wanted
    /// Too much is waiting to be saved already, or nothing more is saved.
    case full
}

/// The number under which an archive looks for a text's full blocks: a fixed function of all tokens up to a block's end.
///
/// It only finds a block; what is found is compared token by token.
package struct BlockName: Hashable, Sendable {
    package let value: UInt64

    package init(value: UInt64) { self.value = value }

    /// The name of the block that holds `tokens`, after the block of another name; nil at a text's start.
    package init(of tokens: ArraySlice<Int32>, after previous: BlockName?) {
        var lane = previous?.value ?? 0
        for token in tokens { lane = Checksum.mix(lane, UInt64(UInt32(bitPattern: token))) }
        value = Checksum.scatter(lane)
    }
}

/// A block to save.
package struct SaveOrder: Sendable {
    package let name: BlockName
    package let block: Int32
    /// A text of which the block ends after `tokenCount` tokens.
    package let tokens: [Int32]
    package let tokenCount: Int
}

/// Blocks of one text to fill, in order; the first that is not there ends it.
package struct RestoreOrder: Sendable {
    /// The sequence's number.
    package let id: Int
    package let names: [BlockName]
    package let blocks: [Int32]
    /// The text, and how many of its tokens come before the first block.
    package let tokens: [Int32]
    package let start: Int
    /// Is set when nobody waits for the blocks any more.
    package let isUnwanted: AtomicFlag
}

/// A flag that is set once.
package final class AtomicFlag: Sendable {
    private let flag = Atomic(false)

    package init() {}

    package var isSet: Bool { flag.load(ordering: .relaxed) }
    package func set() { flag.store(true, ordering: .relaxed) }
}
