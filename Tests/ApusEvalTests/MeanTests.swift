import ApusEval
import Testing

struct MeanTests {
    @Test func meanAndErrorAreThoseOfTheWholeList() {
        let numbers = [2.0, 4, 4, 4, 5, 5, 7, 9]
        var mean = Mean()
        for number in numbers { mean.add(number + 1e9) }
        // The sum of squared differences is 32.
        #expect(mean.value == 5 + 1e9)
        #expect(abs(mean.standardError - (32.0 / 7 / 8).squareRoot()) < 1e-6)
        #expect(mean.interval.contains(5 + 1e9))
        #expect(abs(mean.interval.upperBound - mean.value - 1.96 * mean.standardError) < 1e-6)
    }

    @Test func oneNumberHasNoErrorAndNoneNoMean() {
        var mean = Mean()
        #expect(mean.value.isNaN && mean.standardError == 0)
        mean.add(3)
        #expect(mean.value == 3 && mean.standardError == 0)
        mean.add(.infinity)
        #expect(!mean.value.isFinite && !mean.interval.upperBound.isFinite)
    }
}
