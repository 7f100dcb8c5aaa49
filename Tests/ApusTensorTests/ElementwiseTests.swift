import ApusTensor
import ApusTestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Elementwise operations against their formulas in double, on every tier.
@Suite struct ElementwiseTests {
    private static func rows(_ count: Int, width: Int, arena: Arena, seed: UInt64 = 1) -> FloatRows {
        let rows = arena.allocateRows(count, width: width)
        var random = SmallRandom(seed: seed)
        for row in 0..<count {
            rows.withRow(row) { span in for index in span.indices { span[index] = 4 * random.float() } }
        }
        return rows
    }

    @Test(arguments: KernelTier.available, [1, 17, 64, 127])
    func normsAreThoseOfTheFormula(tier: KernelTier, width: Int) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 1 << 20)
        let input = Self.rows(5, width: width, arena: arena)
        let weight = Vector((0..<width).map { Float($0) / 16 - 1 }, arena: arena)
        let output = arena.allocateRows(5, width: width)
        for accumulates in [false, true] {
            compute.run(
                compute.rmsNorm(input, weight: weight.base, epsilon: 1e-3, into: output, accumulates: accumulates)
            )
        }
        for row in 0..<5 {
            let x = input.row(row).map { Double($0) }
            let scale = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(width) + 1e-3).squareRoot()
            for (column, found) in output.row(row).enumerated() {
                // Once written, once added.
                let expected = 2 * x[column] * scale * (Double(column) / 16 - 1)
                #expect(abs(Double(found) - expected) <= 1e-6 * max(1, abs(expected)))
            }
        }
    }

    @Test(arguments: KernelTier.available, [GateActivation.silu, .gelu])
    func gatesAreThoseOfTheFormula(tier: KernelTier, activation: GateActivation) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 1 << 20)
        let (gate, up) = (Self.rows(3, width: 77, arena: arena), Self.rows(3, width: 77, arena: arena, seed: 2))
        gate.withRow(0) { span in
            for (index, edge) in [Float(0), 100, -100, 30, -30, 1e-20].enumerated() { span[index] = edge }
        }
        let output = arena.allocateRows(3, width: 77)
        compute.run(compute.gate(gate, up, activation: activation, into: output))
        for row in 0..<3 {
            for (found, (g, u)) in zip(output.row(row), zip(gate.row(row), up.row(row))) {
                let x = Double(g)
                let activated =
                    activation == .silu
                    ? x / (1 + exp(-x))
                    : 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
                let expected = activated * Double(u)
                #expect(abs(Double(found) - expected) <= 2e-6 * max(1, abs(expected)), "\(x)")
            }
        }
    }

    @Test(arguments: KernelTier.available, [RotaryStyle.halves, .interleaved])
    func rotationsAreThoseOfTheFormulaAtAnyPosition(tier: KernelTier, style: RotaryStyle) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 1 << 20)
        let positions: [Int32] = [0, 1, 2, 63, 64, 4095, 131_071, 16_777_215]
        let (heads, dimension, pairs) = (3, 20, 8)
        let frequencies = (0..<pairs).map { pow(10_000.0, -2 * Double($0) / 16) }
        let table = RotaryTable(
            inverseFrequencies: frequencies,
            magnitude: 1.25,
            rowCapacity: positions.count,
            arena: arena
        )
        let held = arena.allocate(Int32.self, count: positions.count)
        for (index, position) in positions.enumerated() { held[index] = position }
        compute.rotaryTable(table, positions: held, rowCount: positions.count)
        let rows = Self.rows(positions.count, width: heads * dimension, arena: arena)
        let before = positions.indices.map { rows.row($0) }
        compute.rotate(rows, headDimension: dimension, table: table, style: style)
        for (row, position) in positions.enumerated() {
            let found = rows.row(row)
            for head in 0..<heads {
                let first = head * dimension
                for pair in 0..<pairs {
                    let a = first + (style == .halves ? pair : 2 * pair)
                    let b = style == .halves ? a + pairs : a + 1
                    let angle = Double(position) * frequencies[pair]
                    let (x, y) = (Double(before[row][a]), Double(before[row][b]))
                    #expect(abs(Double(found[a]) - 1.25 * (x * cos(angle) - y * sin(angle))) <= 2e-6)
                    #expect(abs(Double(found[b]) - 1.25 * (y * cos(angle) + x * sin(angle))) <= 2e-6)
                }
                // Dimensions past the rotated ones stay.
                #expect(found[first + 16..<first + 20] == before[row][first + 16..<first + 20])
            }
        }
    }
}
