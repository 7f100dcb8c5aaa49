package import Apus
import ApusEngine
import ApusNN
package import ApusTensor

/// Measures prompt processing and decoding beside the machine's own limits, through the engine's step loop.
///
/// Memory bandwidth changes within seconds where neighbours share the machine, so decoding alternates with reading every
/// 100 milliseconds or less, and the share is the median of the rounds' ratios.
package final class SpeedBenchmark {
    /// How much work is measured.
    package struct Work: Sendable {
        package var promptCount: Int
        package var generateCount: Int
        package var batchCount: Int

        package init(promptCount: Int, generateCount: Int, batchCount: Int) {
            self.promptCount = promptCount
            self.generateCount = generateCount
            self.batchCount = batchCount
        }
    }

    /// What one repeat gave.
    package struct Round: Sendable {
        package let prefillRate: Double
        package let decodeRate: Double
        /// Of the stretches of decoding: the share of the read rate measured right after each.
        package let bandwidthShares: [Double]
        package let readRates: [Double]
    }

    private let model: LoadedModel
    private let work: Work
    private let runner: ModelRunner
    private let limits: SchedulerLimits
    private let probe: ReadProbe
    /// The most multiply-adds that the tier can do.
    package let peaks: ComputePeaks
    /// The most memory resident after a whole run, before the limits were measured.
    package let peakResidentByteCount: Int

    /// Prepares the runner, warms up with a whole run and measures the limits of computing.
    package init(_ model: LoadedModel, work: Work) throws {
        self.model = model
        self.work = work
        runner = try ModelRunner(model: model.model, sizes: model.plan.sizes, compute: model.compute)
        // What is measured is computing, not remembering.
        limits = try EngineConfiguration(cachesPrefixes: false).limits(for: runner)
        _ = Self.run(work, runner: runner, limits: limits, probe: nil, cost: model.model.cost)
        peakResidentByteCount = HostMemory.peakResidentByteCount
        probe = try ReadProbe(compute: model.compute)
        peaks = try ComputePeaks(measuring: model.compute)
    }

    /// Bytes of keys and values that a token of context takes.
    package var keyValueByteCountPerPosition: Int { runner.keyValueByteCountPerPosition }

    /// Measures once.
    package func measure() -> Round {
        Self.run(work, runner: runner, limits: limits, probe: probe, cost: model.model.cost)
    }

    /// Multiply-adds of the prompts: linear layers, attention, and one row of logits each.
    ///
    /// What is not computed, since only the last row's logits are wanted, is not counted.
    package var prefillMultiplyAdds: Double {
        let cost = model.model.cost
        let shape = model.model.shape
        let rows = Double(work.promptCount)
        let linear = Double(cost.blockMultiplyAdds - cost.wantedMultiplyAdds) * rows
        let lastRow = Double(cost.wantedMultiplyAdds + cost.outputMultiplyAdds)
        let attended = rows * (rows + 1) / 2 * Double(shape.keyValues.layerCount - 1) + rows
        let perPosition = 2 * Double(shape.queryHeadCount * shape.keyValues.headDimension)
        return Double(work.batchCount) * (linear + lastRow + perPosition * attended)
    }

    /// The share of the peak that a prefill rate comes to: of 8-bit dot products for quantized models, else of FMAs.
    package func prefillShare(_ rate: Double) -> Double {
        let seconds = Double(work.promptCount * work.batchCount) / rate
        return prefillMultiplyAdds / seconds / (model.model.cost.isQuantized ? peaks.dots : peaks.fusedMultiplyAdds)
    }

    private static func run(
        _ work: Work,
        runner: ModelRunner,
        limits: SchedulerLimits,
        probe: ReadProbe?,
        cost: DecoderCost
    ) -> Round {
        let loop = StepLoop(runner: runner, limits: limits)
        for id in 0..<work.batchCount {
            let prompt = (0..<work.promptCount).map { Int32(($0 * 7 + id) % 1000 + 100) % Int32(runner.vocabularySize) }
            let request = GenerationRequest(
                prompt: prompt,
                sampling: .greedy,
                maximumTokenCount: work.generateCount + 1,
                ignoresEndOfGeneration: true
            )
            let (_, continuation) = Engine.Events.makeStream()
            loop.add(SubmittedRequest(id: id, request: request, stream: continuation))
        }
        let start = ContinuousClock.now
        while loop.scheduler.running.contains(where: { $0.pendingCount > 1 }) || !loop.scheduler.waiting.isEmpty {
            loop.step()
        }
        let prefill = start.duration(to: .now) / .seconds(1)
        let decoding = decode(loop, batchCount: work.batchCount, probe: probe, runner: runner, cost: cost)
        return Round(
            prefillRate: Double(work.promptCount * work.batchCount) / prefill,
            decodeRate: Double(decoding.tokenCount) / decoding.seconds,
            bandwidthShares: decoding.shares,
            readRates: decoding.readRates
        )
    }

    private struct Decoding {
        var tokenCount = 0
        var seconds = 0.0
        var shares: [Double] = []
        var readRates: [Double] = []
    }

    /// Decodes to the end, in stretches of 50 milliseconds with as long a read between them.
    private static func decode(
        _ loop: StepLoop,
        batchCount: Int,
        probe: ReadProbe?,
        runner: ModelRunner,
        cost: DecoderCost
    ) -> Decoding {
        var decoding = Decoding()
        while !loop.isIdle {
            let start = ContinuousClock.now
            var bytes = 0
            repeat {
                let positions = loop.scheduler.running.reduce(0) { $0 + $1.computedCount + 1 }
                bytes += cost.weightByteCount + positions * runner.keyValueByteCountPerPosition
                decoding.tokenCount += loop.scheduler.running.count
                loop.step()
            } while !loop.isIdle && start.duration(to: .now) < .milliseconds(50)
            let seconds = start.duration(to: .now) / .seconds(1)
            decoding.seconds += seconds
            guard let probe else { continue }
            let rate = probe.readRate(for: .milliseconds(40))
            decoding.readRates.append(rate)
            decoding.shares.append(Double(bytes) / seconds / rate)
        }
        return decoding
    }
}
