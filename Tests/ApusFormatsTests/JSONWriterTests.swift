import ApusFormats
import Testing

@Suite struct JSONWriterTests {
    private static let source = #"{"b": [1, 2.5, -3], "a": {}, "é\u0001\"": [[], null, true, "x\ny\u007f😀"]}"#

    private func rewritten(_ format: JSONWriter.Format) throws -> String {
        var writer = JSONWriter(format)
        writer.value(try JSONValue(parsing: Array(Self.source.utf8), name: "test"))
        return writer.text
    }

    // The expected texts are what Python's json.dumps gives for json.loads(source) with the same options.
    @Test func layoutsAreThoseOfPython() throws {
        #expect(try rewritten(.compact) == #"{"b":[1,2.5,-3],"a":{},"é\u0001\"":[[],null,true,"x\ny\#u{7F}😀"]}"#)
        #expect(
            try rewritten(.init())
                == #"{"b": [1, 2.5, -3], "a": {}, "é\u0001\"": [[], null, true, "x\ny\#u{7F}😀"]}"#
        )
        #expect(
            try rewritten(.init(escapesNonASCII: true, sortsKeys: true))
                == #"{"a": {}, "b": [1, 2.5, -3], "\u00e9\u0001\"": [[], null, true, "x\ny\u007f\ud83d\ude00"]}"#
        )
        #expect(
            try rewritten(.pretty) == """
                {
                  "b": [
                    1,
                    2.5,
                    -3
                  ],
                  "a": {},
                  "é\\u0001\\"": [
                    [],
                    null,
                    true,
                    "x\\ny\u{7F}😀"
                  ]
                }
                """
        )
    }

    @Test(arguments: [
        (0.1, "0.1"), (1, "1.0"), (1e16, "1e+16"), (1e15, "1000000000000000.0"), (1e-5, "1e-05"), (-0.0, "-0.0"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (.leastNonzeroMagnitude, "5e-324"), (.nan, "NaN"),
        (-.infinity, "-Infinity"),
    ])
    func doublesAreWrittenAsPythonDoes(value: Double, text: String) {
        var writer = JSONWriter()
        writer.value(value)
        #expect(writer.text == text)
    }

    @Test func valuesAreWrittenInTheOrderTold() {
        var writer = JSONWriter()
        writer.object {
            $0.key("a")
            $0.array {
                $0.value(1)
                $0.null()
                $0.object { _ in }
            }
            $0.key("b")
            $0.value("c")
        }
        #expect(writer.text == #"{"a":[1,null,{}],"b":"c"}"#)
    }
}
