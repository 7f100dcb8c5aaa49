import ApusEngine
import Testing

@Suite struct StepPacerTests {
    @Test func withoutALimitPromptsTakeAllRows() {
        var pacer = StepPacer(limit: nil)
        pacer.note(singleCount: 1, promptRowCount: 100, duration: .seconds(9))
        #expect(pacer.promptRowLimit(singleCount: 1) == .max)
    }

    @Test func aLonePromptFillsTheLongestStep() {
        var pacer = StepPacer(limit: .milliseconds(250))
        #expect(pacer.promptRowLimit(singleCount: 0) == 32)
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .milliseconds(64))
        #expect(pacer.promptRowLimit(singleCount: 0) == 125)
    }

    @Test func besideGeneratingSequencesAStepAtMostDoubles() {
        var pacer = StepPacer(limit: .milliseconds(250))
        pacer.note(singleCount: 8, promptRowCount: 0, duration: .milliseconds(40))
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .milliseconds(64))
        // 0.8 of 40 ms at 2 ms a row.
        #expect(pacer.promptRowLimit(singleCount: 8) == 16)
        #expect(pacer.promptRowLimit(singleCount: 0) == 125)
    }

    @Test func aSlowModelStillGetsAFewRows() {
        var pacer = StepPacer(limit: .milliseconds(250))
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .seconds(64))
        #expect(pacer.promptRowLimit(singleCount: 0) == 8)
        pacer.note(singleCount: 3, promptRowCount: 0, duration: .seconds(1))
        #expect(pacer.promptRowLimit(singleCount: 3) == 8)
    }
}
