import ApusCore
import ApusTensor
import CApusKernels
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct ArenaTests {
    @Test func partsAreAlignedZeroedAndApart() throws {
        let arena = try Arena(name: "test", byteCount: 1024)
        let first = arena.allocate(byteCount: 1)
        let second = arena.allocate(byteCount: 65)
        let third = arena.allocate(Float.self, count: 16)
        #expect(UInt(bitPattern: first) % 64 == 0)
        #expect(second - first == 64)
        #expect(UnsafeMutableRawPointer(third) - second == 128)
        #expect((0..<16).allSatisfy { third[$0] == 0 })
        #expect(arena.usedByteCount == 256)
        #expect(arena.byteCount == 1024)
        #expect(Arena.roundedUp(0) == 0 && Arena.roundedUp(1) == 64 && Arena.roundedUp(64) == 64)
    }

    @Test func aReservationThatFailsNamesItsPurpose() {
        let error = #expect(throws: ApusError.self) { try Arena(name: "weights", byteCount: Int.max) }
        #expect(error?.code == .outOfMemory)
        #expect(error?.message == "cannot reserve \(Int.max) bytes for weights")
    }

    @Test func viewsOfRowsShareMemory() throws {
        let arena = try Arena(name: "test", byteCount: 1024)
        let rows = arena.allocateRows(3, width: 5)
        for row in 0..<3 {
            rows.withRow(row) { span in for column in span.indices { span[column] = Float(10 * row + column) } }
        }
        let part = rows[1..<3].columns(2..<4)
        #expect((0..<2).map { part.row($0) } == [[12, 13], [22, 23]])
        part.withRow(1) { $0[0] = -1 }
        #expect(rows.row(2) == [20, 21, -1, 23, 24])
        rows.copyRow(2, of: rows, to: 0)
        #expect(rows.row(0) == [20, 21, -1, 23, 24])
    }

    @Test func theProcessorCountIsNoMoreThanTheMachineHas() {
        let count = ProcessorCount.available
        #expect(count >= 1)
        #expect(count <= Int(sysconf(Int32(_SC_NPROCESSORS_CONF))))
    }

    @Test func everyAvailableTierHasARowForEveryType() throws {
        #expect(KernelTier.available.contains(.scalar))
        #expect(KernelTier.available.contains(.best))
        for tier in KernelTier.available {
            let table = try KernelTable(tier: tier)
            for type in ElementType.allCases { #expect(table.format(of: type).type == Int32(type.rawValue)) }
        }
    }
}
