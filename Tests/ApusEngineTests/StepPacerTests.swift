import ApusEngine
import Testing

@Suite struct StepPacerTests {
    @Test func withoutALimitPromptsTakeAllRows() {
        var pacer = StepPacer(limit: nil)
        pacer.note(singleCount: 1, promptRowCount: 100, duration: .seconds(9))
        #expect(pacer.promptRowLimit(singleCount: 1, promptCount: 1) == .max)
    }

    @Test func aLonePromptFillsTheLongestStep() {
        var pacer = StepPacer(limit: .milliseconds(250))
        #expect(pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 32)
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .milliseconds(64))
        #expect(pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 125)
    }

    @Test func besideGeneratingSequencesAStepAtMostDoubles() {
        var pacer = StepPacer(limit: .milliseconds(250))
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .milliseconds(64))
        // 24 ms whatever is computed, and 2 ms a row.
        pacer.note(singleCount: 8, promptRowCount: 0, duration: .milliseconds(40))
        // 0.8 of the 40 ms that eight sequences take, of the 56 ms of sixteen.
        #expect(pacer.promptRowLimit(singleCount: 8, promptCount: 1) == 16)
        #expect(pacer.promptRowLimit(singleCount: 16, promptCount: 1) == 22)
        #expect(pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 113)
        // Twice as many prompts as sequences that generate.
        #expect(pacer.promptRowLimit(singleCount: 8, promptCount: 16) == 32)
    }

    @Test func rowsThatBecomeDearerAreFewer() {
        var pacer = StepPacer(limit: .milliseconds(250))
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .milliseconds(64))
        for _ in 0..<40 { pacer.note(singleCount: 0, promptRowCount: 50, duration: .milliseconds(500)) }
        #expect(pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 25)
    }

    @Test func aSlowModelStillGetsAFewRows() {
        var pacer = StepPacer(limit: .milliseconds(250))
        pacer.note(singleCount: 0, promptRowCount: 32, duration: .seconds(64))
        #expect(pacer.promptRowLimit(singleCount: 0, promptCount: 1) == 8)
        pacer.note(singleCount: 3, promptRowCount: 0, duration: .seconds(1))
        #expect(pacer.promptRowLimit(singleCount: 3, promptCount: 1) == 8)
    }
}
