import ApusCore
import ApusEngine
import Testing

@Suite struct SamplingParametersTests {
    @Test func defaultsAreValid() throws {
        try SamplingParameters().validate()
        try SamplingParameters.greedy.validate()
    }

    @Test func errorsNameFieldRangeAndValue() {
        let cases: [(SamplingParameters, String)] = [
            (SamplingParameters(temperature: -0.5), "temperature: expected 0.0 to 100.0, found -0.5"),
            (SamplingParameters(temperature: .nan), "temperature: expected 0.0 to 100.0, found nan"),
            (SamplingParameters(temperature: .infinity), "temperature: expected 0.0 to 100.0, found inf"),
            (SamplingParameters(topK: -1), "topK: expected at least 0, found -1"),
            (SamplingParameters(topP: 0), "topP: expected above 0 to 1, found 0.0"),
            (SamplingParameters(topP: 1.5), "topP: expected above 0 to 1, found 1.5"),
            (SamplingParameters(minP: 2), "minP: expected 0.0 to 1.0, found 2.0"),
            (SamplingParameters(typicalP: 0), "typicalP: expected above 0 to 1, found 0.0"),
            (
                SamplingParameters(repetitionPenalty: 0),
                "repetitionPenalty: expected above 0 to 100, found 0.0"
            ),
            (SamplingParameters(repetitionWindow: -2), "repetitionWindow: expected at least 0, found -2"),
            (SamplingParameters(frequencyPenalty: 101), "frequencyPenalty: expected -100.0 to 100.0, found 101.0"),
            (SamplingParameters(presencePenalty: -101), "presencePenalty: expected -100.0 to 100.0, found -101.0"),
            (SamplingParameters(logitBias: [-3: 1]), "logitBias: expected token ids of at least 0, found -3"),
            (
                SamplingParameters(logitBias: [3: .infinity]),
                "logitBias of token 3: expected a finite number or negative infinity, found inf"
            ),
        ]
        for (parameters, message) in cases {
            let error = #expect(throws: ApusError.self) { try parameters.validate() }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message == message)
        }
    }
}
