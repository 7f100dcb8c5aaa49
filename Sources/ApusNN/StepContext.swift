public import ApusTensor

/// Everything a model's forward pass works with during a step: the plan, the KV store, and buffers sized at load.
///
/// Not thread-safe: the engine's task owns it.
public final class StepContext {
    /// What runs the operations.
    public let compute: Compute
    /// The keys and values.
    public let storage: any KVStorage
    /// The most rows a step may have.
    public let rowCapacity: Int
    /// The most rows of logits a step may ask for.
    public let logitsCapacity: Int

    /// Who sees what the matrices read, if anyone.
    package var observer: (any StepObserver)?

    /// The step at hand, empty between steps: a second owner would make the scheduler's next change a copy.
    package private(set) var plan: StepPlan
    private let noPlan = StepPlan(rowCapacity: 0, sliceCapacity: 0, blockCapacity: 0)
    private var rowCount = 0
    private var logitsRowCount = 0
    package let rotaryTables: [RotaryTable]
    package let panels: Panels
    private let arena: Arena
    private let positions: UnsafeMutablePointer<Int32>
    private let buffers: Buffers

    private struct Buffers {
        let hidden: FloatRows
        let normalized: FloatRows
        let projections: FloatRows
        let attended: FloatRows
        let gateUp: FloatRows
        let wanted: FloatRows
        let logits: FloatRows
    }

    /// Reserves the buffers.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(
        shape: DecoderShape,
        storage: any KVStorage,
        rowCapacity: Int,
        logitsCapacity: Int,
        compute: Compute
    ) throws {
        plan = noPlan
        self.compute = compute
        self.storage = storage
        self.rowCapacity = rowCapacity
        self.logitsCapacity = logitsCapacity
        let size = Self.byteCount(shape: shape, rowCapacity: rowCapacity, logitsCapacity: logitsCapacity)
        let arena = try Arena(name: "activations", byteCount: size)
        self.arena = arena
        rotaryTables = shape.rotary.map {
            RotaryTable(
                inverseFrequencies: $0.inverseFrequencies,
                magnitude: $0.magnitude,
                rowCapacity: rowCapacity,
                arena: arena
            )
        }
        panels = Panels(inputs: shape.inputs, rowCapacity: rowCapacity, arena: arena)
        positions = arena.allocate(Int32.self, count: rowCapacity)
        let widths = Widths(shape)
        buffers = Buffers(
            hidden: arena.allocateRows(rowCapacity, width: shape.hiddenSize),
            normalized: arena.allocateRows(rowCapacity, width: shape.hiddenSize),
            projections: arena.allocateRows(rowCapacity, width: widths.projections),
            attended: arena.allocateRows(rowCapacity, width: widths.attended),
            gateUp: arena.allocateRows(rowCapacity, width: 2 * shape.feedForwardSize),
            wanted: arena.allocateRows(2 * logitsCapacity, width: shape.hiddenSize),
            logits: arena.allocateRows(logitsCapacity + Self.pairedRowCount, width: shape.vocabularySize)
        )
    }

    /// Bytes of the buffers: the memory plan's "activations".
    public static func byteCount(shape: DecoderShape, rowCapacity: Int, logitsCapacity: Int) -> Int {
        let widths = Widths(shape)
        let perRow = [
            2 * shape.feedForwardSize, shape.hiddenSize, shape.hiddenSize, widths.projections, widths.attended, 1,
        ]
        let rows = perRow.reduce(0) { $0 + Arena.roundedUp($1 * rowCapacity * 4) }
        let wanted = Arena.roundedUp(2 * logitsCapacity * shape.hiddenSize * 4)
        let logits = Arena.roundedUp((logitsCapacity + pairedRowCount) * shape.vocabularySize * 4)
        let rotary = shape.rotary.reduce(0) {
            $0 + RotaryTable.byteCount(pairCount: $1.inverseFrequencies.count, rowCapacity: rowCapacity)
        }
        return rows + wanted + logits + rotary + Panels.byteCount(inputs: shape.inputs, rowCapacity: rowCapacity)
    }

    private struct Widths {
        let projections: Int
        let attended: Int

        init(_ shape: DecoderShape) {
            attended = shape.queryHeadCount * shape.keyValues.headDimension
            projections = attended + 2 * shape.keyValues.headCount * shape.keyValues.headDimension
        }
    }

    /// Runs a model over a plan; hidden states and logits of the wanted rows stay readable until the next run.
    /// - Parameter computesLogits: whether logits are wanted; without, a step ends at the hidden states.
    package func run(_ model: any LanguageModel, _ plan: StepPlan, computesLogits: Bool = true) {
        run(plan) {
            model.forwardHidden(self)
            if computesLogits && logitsRowCount > 0 { model.forwardOutput(self) }
        }
    }

    /// Works on a plan's rows: `body` runs what it likes of a model.
    package func run(_ plan: StepPlan, _ body: () throws -> Void) rethrows {
        begin(plan)
        defer { self.plan = noPlan }
        try body()
    }

    /// Takes over a plan: fills the positions' sines and cosines and tells the store.
    private func begin(_ plan: StepPlan) {
        precondition(plan.tokens.count <= rowCapacity && plan.logitsRowCount <= logitsCapacity)
        self.plan = plan
        rowCount = plan.tokens.count
        logitsRowCount = plan.logitsRowCount
        for slice in plan.slices {
            for (offset, row) in slice.rows.enumerated() { positions[row] = Int32(slice.position + offset) }
        }
        for table in rotaryTables { compute.rotaryTable(table, positions: positions, rowCount: plan.tokens.count) }
        storage.beginStep(plan)
    }

    private var rows: Range<Int> { 0..<rowCount }

    /// The residual stream, a row per token; from the last layer's attention on, a row per wanted token.
    package var hidden: FloatRows { buffers.hidden[rows] }
    package var normalized: FloatRows { buffers.normalized[rows] }
    package var projections: FloatRows { buffers.projections[rows] }
    package var attended: FloatRows { buffers.attended[rows] }
    package var gateUp: FloatRows { buffers.gateUp[rows] }
    /// The wanted rows' logits, in the plan's order.
    package var logits: FloatRows { buffers.logits[0..<logitsRowCount] }

    /// The wanted rows' hidden states, in the plan's order.
    package var wanted: FloatRows { buffers.wanted[0..<logitsRowCount] }

    /// Up to so many wanted rows and their rests go through the output matrix together, so that it is read once.
    private static let pairedRowCount = 24

    /// Logits of the wanted rows by a quantized output matrix, which reads them with 16 bits: as rounded to 8 and,
    /// rounded again, what that left (docs/numbers.md, section 3).
    package func project(_ output: FusedLinear) {
        let count = logitsRowCount
        let rest = buffers.wanted[count..<2 * count]
        compute.quantizationRest(of: wanted, into: rest)
        if count <= Self.pairedRowCount {
            output(MatmulInput(buffers.wanted[0..<2 * count]), into: buffers.logits[0..<2 * count], self)
            compute.add(buffers.logits[count..<2 * count], to: logits)
        } else {
            output(MatmulInput(wanted), into: logits, self)
            output(MatmulInput(rest), into: logits, accumulates: true, self)
        }
    }

    /// Goes on with the rows whose logits are wanted: their residuals and queries move together, in the plan's order,
    /// and become the step's rows.
    package func narrowToWantedRows() {
        guard logitsRowCount < rowCount else { return }
        for slice in plan.slices {
            for offset in 0..<slice.logitsCount {
                // Rows only move up, in order: none is overwritten before it is read.
                let row = slice.rows.upperBound - slice.logitsCount + offset
                buffers.hidden.copyRow(row, of: buffers.hidden, to: slice.firstLogitsRow + offset)
                buffers.projections.copyRow(row, of: buffers.projections, to: slice.firstLogitsRow + offset)
            }
        }
        rowCount = logitsRowCount
        storage.narrowToWantedRows(plan)
    }
}
