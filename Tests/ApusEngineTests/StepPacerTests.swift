import ApusEngine
import Testing

/// A model whose steps take `step` milliseconds, `single` more for each sequence that generates, and `prompt` more for each
/// prompt row.
struct SimulatedModel {
    var step = 2.0
    var single = 0.75
    var prompt = 0.5
    var pacer = StepPacer(limit: .milliseconds(250))

    func milliseconds(_ singleCount: Int, _ promptRowCount: Int) -> Double {
        step + single * Double(singleCount) + prompt * Double(promptRowCount)
    }

    /// Runs steps of as many prompt rows as the pacer allows.
    /// - Returns: the last step's milliseconds.
    @discardableResult
    mutating func run(_ count: Int, singleCount: Int, promptCount: Int) -> Double {
        var last = 0.0
        for _ in 0..<count {
            let rows = promptCount > 0 ? pacer.promptRowLimit(singleCount: singleCount, promptCount: promptCount) : 0
            last = milliseconds(singleCount, rows)
            pacer.note(singleCount: singleCount, promptRowCount: rows, duration: .seconds(last / 1e3))
        }
        return last
    }
}

@Suite struct StepPacerTests {
    @Test func withoutALimitPromptsTakeAllRows() {
        var pacer = StepPacer(limit: nil)
        pacer.note(singleCount: 1, promptRowCount: 100, duration: .seconds(9))
        #expect(pacer.promptRowLimit(singleCount: 1, promptCount: 1) == .max)
    }

    @Test func aLonePromptFillsTheLongestStep() {
        var model = SimulatedModel()
        #expect(model.pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 32)
        let last = model.run(20, singleCount: 0, promptCount: 1)
        #expect(last > 230 && last < 260)
    }

    /// Growing contexts make rows dearer, those of the prompt and those of the others.
    @Test(arguments: [(0.005, 0.0), (0.005, 0.002), (0.0, 0.002)])
    func besideGeneratingSequencesAStepNeverDoublesHoweverLongThePrompt(prompt: Double, single: Double) {
        var model = SimulatedModel()
        model.run(50, singleCount: 8, promptCount: 0)
        model.run(30, singleCount: 8, promptCount: 1)
        for _ in 0..<50 {
            var sum = 0.0
            for _ in 0..<16 {
                model.prompt += prompt
                model.single += single
                let milliseconds = model.run(1, singleCount: 8, promptCount: 1)
                #expect(milliseconds < 2 * model.milliseconds(8, 0))
                sum += milliseconds
            }
            #expect(sum > 16 * 1.15 * model.milliseconds(8, 0))
        }
    }

    @Test func eachFurtherPromptMayAddTwiceAsMuch() {
        var model = SimulatedModel()
        model.run(50, singleCount: 4, promptCount: 0)
        let alone = model.milliseconds(4, 0)
        let one = model.run(50, singleCount: 4, promptCount: 1) - alone
        let twelve = model.run(50, singleCount: 4, promptCount: 12) - alone
        #expect(one > 0.3 * alone && one < 0.6 * alone)
        #expect(twelve > 10 * alone && twelve < 13 * alone)
        #expect(model.run(50, singleCount: 32, promptCount: 32) < 260)
    }

    /// Sequences were never seen to generate without prompts beside them.
    @Test func whatGeneratingCostsIsLearnedBesidePrompts() {
        var model = SimulatedModel()
        model.run(10, singleCount: 0, promptCount: 9)
        for singleCount in 1...8 { model.run(40, singleCount: singleCount, promptCount: 9 - singleCount) }
        #expect(model.run(40, singleCount: 8, promptCount: 1) < 2.2 * model.milliseconds(8, 0))
    }

    /// What reads its weights for longer than the limit still lets prompts go on, by more than a row.
    @Test func aSlowModelGetsRowsThatCostLittleMore() {
        var model = SimulatedModel(step: 1000, single: 20, prompt: 20)
        let last = model.run(60, singleCount: 0, promptCount: 1)
        #expect(last > 1100 && last < 1300)
        let beside = model.run(60, singleCount: 3, promptCount: 1)
        #expect(beside > 1100 && beside < 1400)
    }

    @Test func aPauseOfTheMachineIsForgottenSoon() {
        var model = SimulatedModel()
        model.run(50, singleCount: 8, promptCount: 1)
        model.pacer.note(singleCount: 8, promptRowCount: 9, duration: .seconds(30))
        model.run(20, singleCount: 8, promptCount: 1)
        let last = model.run(1, singleCount: 8, promptCount: 1)
        #expect(last > 1.1 * model.milliseconds(8, 0) && last < 2 * model.milliseconds(8, 0))
    }
}
