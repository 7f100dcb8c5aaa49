import ApusCore
import ApusGrammar
import Testing

struct JSONSchemaCompilerTests {
    typealias Case = (schema: String, valid: [String], invalid: [String])

    private func check(_ test: Case) throws {
        let rules = try schema(test.schema)
        for text in test.valid { #expect(try accepts(rules, text), "\(test.schema) takes \(text)") }
        for text in test.invalid { #expect(try !accepts(rules, text), "\(test.schema) refuses \(text)") }
    }

    static let scalars: [Case] = [
        (#"{"type":"null"}"#, ["null"], ["nul", "0", ""]),
        (#"{"type":"boolean"}"#, ["true", "false"], ["True", "0", "null"]),
        (
            #"{"type":"integer"}"#, ["0", "-1", "999999999999999999"],
            ["01", "+1", "1.0", "1e3", "-", "1234567890123456789"]
        ),
        (
            #"{"type":"number"}"#,
            ["0", "-0.5", "1e10", "1.5E-3", "9.9e+307", "1e308", "-1.79E308", "1.7976931348623157e+308", "5e-324"],
            [".5", "1.", "1e", "1e999", "2e308", "1.8e308", "1.7976931348623158e308", "01", "NaN", "--1"]
        ),
        (
            #"{"type":"string"}"#, [#""""#, #""é\n\u00e9""#, #""\ud83d\ude00""#, #""\/""#],
            [#"""#, #""\x""#, #""\ud83d""#, "\"\n\"", #""\u12""#, "a"]
        ),
        (#"{"type":["string","null"]}"#, [#""a""#, "null"], ["1", "true"]),
        (#"{"type":["integer","number"]}"#, ["1", "1.5"], [#""1""#]),
        ("true", ["1", "{}", #"[1, {"a": null}]"#], ["", "["]),
        ("{}", ["1", "{}", "[]", "null", "true", #""x""#], ["", "x"]),
        (#"{"minLength":2}"#, [#""ab""#, "1", "{}"], [#""a""#]),
        (
            #"{"title":"t","description":"d","default":1,"examples":[2],"$schema":"s","$id":"i","$comment":"c"}"#,
            ["1"], [""]
        ),
        (
            #"{"enum":[1,"a\"",null,2.5,[1,2],{"a":true}]}"#,
            ["1", #""a\"""#, "null", "2.5", "[1, 2]", #"{"a": true}"#], ["2", #""a""#]
        ),
        (#"{"type":"string","enum":["a",1]}"#, [#""a""#], ["1"]),
        (#"{"const":{"k":"v"}}"#, [#"{"k":"v"}"#, #"{ "k": "v" }"#], ["{}"]),
        (#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, [#""a""#, "1"], ["1.5", "null"]),
        (#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#, [#""a""#, "1"], ["1.5"]),
        (#"{"allOf":[{"type":"string"}]}"#, [#""a""#], ["1"]),
    ]

    @Test("Types and values", arguments: scalars)
    func scalar(_ test: Case) throws { try check(test) }

    static let strings: [Case] = [
        (
            #"{"type":"string","minLength":2,"maxLength":3}"#,
            [#""ab""#, #""éé\u00e9""#, "\"\u{1F600}\u{1F600}\"", #""\ud83d\ude00\n""#], [#""a""#, #""abcd""#]
        ),
        (#"{"type":"string","maxLength":0}"#, [#""""#], [#""a""#]),
        (#"{"type":"string","pattern":"^a+b?$"}"#, [#""a""#, #""aab""#], [#""""#, #""b""#, #""abb""#, #""xa""#]),
        (#"{"type":"string","pattern":"b"}"#, [#""b""#, #""abc""#, #""bb""#], [#""ac""#, #""""#]),
        (#"{"type":"string","pattern":"^a|b$"}"#, [#""ax""#, #""xb""#], [#""xa""#, #""bx""#]),
        (
            #"{"type":"string","pattern":"^[^a-y\"]\\d{2,3}(x|yz)\\.$"}"#, [#""z12x.""#, #""é123yz.""#],
            [#""a12x.""#, #""z1x.""#, #""z12x!""#, #""\"12x.""#]
        ),
        (#"{"type":"string","pattern":"^\\\\\\\"\\n$"}"#, [#""\\\"\n""#, #""\\\"\u000a""#], [#""\\""#]),
        (#"{"type":"string","pattern":"^(?:\\w+\\s?)*?$"}"#, [#""ab c""#, #""""#], [#""-""#]),
        (
            #"{"type":"string","format":"date"}"#, [#""2024-02-29""#, #""2000-02-29""#, #""1999-12-31""#],
            [#""2023-02-29""#, #""1900-02-29""#, #""2024-04-31""#, #""0000-01-01""#, #""2024-13-01""#]
        ),
        (
            #"{"type":"string","format":"time"}"#, [#""23:59:59Z""#, #""00:00:00.5+01:30""#],
            [#""24:00:00Z""#, #""10:00:00""#]
        ),
        (#"{"type":"string","format":"date-time"}"#, [#""2024-01-01T00:00:00Z""#], [#""2024-01-01 00:00:00Z""#]),
        (
            #"{"type":"string","format":"uuid"}"#, [#""123e4567-e89b-12d3-a456-426614174000""#],
            [#""123e4567e89b12d3a456426614174000""#]
        ),
        (#"{"type":"string","format":"ipv4"}"#, [#""255.0.10.1""#], [#""256.0.0.1""#, #""1.2.3""#, #""01.2.3.4""#]),
        (#"{"type":"string","format":"hostname"}"#, [#""a-b.example.com""#], [#""-a.com""#, #""a..b""#]),
        (
            #"{"type":"string","format":"email"}"#, [#""a.b+c@example.com""#],
            [#""a@b""#, #""@x.com""#, #""a..b@x.com""#]
        ),
    ]

    @Test("Strings", arguments: strings)
    func string(_ test: Case) throws { try check(test) }

    static let numbers: [Case] = [
        (
            #"{"type":"number","minimum":0,"maximum":1}"#, ["0", "0.5", "1", "1.0", "0.0"],
            ["1.1", "-0.5", "2", "-1", "1e0"]
        ),
        (
            #"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":10}"#, ["0.1", "9.99", "5"],
            ["0", "0.0", "10", "10.0"]
        ),
        (
            #"{"type":"number","minimum":-5,"maximum":-2}"#, ["-5", "-5.0", "-2", "-2.5", "-4.9"],
            ["-5.1", "-1.9", "0", "2", "-6"]
        ),
        (#"{"type":"number","minimum":-1,"exclusiveMaximum":2}"#, ["-1", "-0.5", "0", "1.99"], ["-1.1", "2", "2.0"]),
        (#"{"type":"number","minimum":100}"#, ["100", "100.5", "99999"], ["99.9", "-100", "10"]),
        (#"{"type":"number","maximum":3,"minimum":3}"#, ["3", "3.00"], ["3.1", "2.9"]),
        (#"{"type":"integer","multipleOf":7}"#, ["0", "7", "-14", "777"], ["1", "8", "-0", "07"]),
        (#"{"type":"integer","multipleOf":5,"minimum":-5,"maximum":12}"#, ["-5", "0", "5", "10"], ["15", "-10", "1"]),
        (#"{"type":"integer","minimum":1.5,"exclusiveMaximum":4.0}"#, ["2", "3"], ["1", "4"]),
        (#"{"type":"integer","minimum":1000000}"#, ["1000000", "999999999999999999"], ["999999", "-1000000"]),
    ]

    @Test("Numbers with bounds", arguments: numbers)
    func number(_ test: Case) throws { try check(test) }

    @Test("Integer bounds are exact around every boundary")
    func integerBounds() throws {
        for (low, high) in [(-12, 105), (0, 0), (-100, -7), (19, 21), (98, 1002), (-1, 0), (10, 99), (199, 2000)] {
            let rules = try schema(#"{"type":"integer","minimum":\#(low),"maximum":\#(high)}"#)
            for value in low - 25...high + 25 {
                #expect(try accepts(rules, "\(value)") == (low...high).contains(value), "\(value) in \(low)...\(high)")
            }
        }
    }

    static let containers: [Case] = [
        (#"{"type":"array"}"#, ["[]", "[1, [2]]", "[\n  1,\n  2\n]"], ["[1,]", "[", "[1 ,2]"]),
        (#"{"type":"array","items":{"type":"integer"}}"#, ["[]", "[1]", "[1,2, 3]"], ["[null]", "[1 2]"]),
        (
            #"{"type":"array","items":{"type":"null"},"minItems":1,"maxItems":2}"#, ["[null]", "[null,null]"],
            ["[]", "[null,null,null]"]
        ),
        (#"{"type":"array","maxItems":0}"#, ["[]", "[ ]"], ["[1]"]),
        (
            #"{"type":"array","prefixItems":[{"type":"integer"},{"type":"null"}],"items":false}"#,
            ["[]", "[1]", "[1,null]"], ["[null]", "[1,1]", "[1,null,1]"]
        ),
        (
            #"{"type":"array","prefixItems":[{"type":"integer"},{"type":"null"}],"minItems":2,"items":{"type":"boolean"}}"#,
            ["[1,null]", "[1,null,true,false]"], ["[1]", "[1,null,1]", "[]"]
        ),
        (#"{"type":"array","prefixItems":[{"type":"integer"}]}"#, ["[]", "[1]", #"[1,"x"]"#], [#"["x"]"#]),
        (#"{"type":"object"}"#, ["{}", #"{"a":1,"b":{}}"#], ["{a:1}", #"{"a":1,}"#]),
        (
            #"{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},"required":["b"],"additionalProperties":false}"#,
            [#"{"b":null}"#, #"{"a":null,"b":null}"#, #"{"b": null, "c": null}"#, #"{"a":null,"b":null,"c":null}"#],
            [
                "{}", #"{"a":null}"#, #"{"b":null,"a":null}"#, #"{"b":null,"d":null}"#, #"{"a":null"b":null}"#,
                #"{,"b":null}"#,
            ]
        ),
        (
            #"{"type":"object","properties":{"ab":{"type":"null"}},"additionalProperties":{"type":"integer"}}"#,
            ["{}", #"{"ab":null}"#, #"{"a":1}"#, #"{"abc":1,"x":2}"#, #"{"ab":null, "é":3}"#, #"{"":1}"#],
            [#"{"ab":1}"#, #"{"a":null}"#, #"{"\u0061b":1}"#, #"{"ab":null,"ab":1}"#]
        ),
        (#"{"type":"object","additionalProperties":{"type":"null"}}"#, ["{}", #"{"a":null}"#], [#"{"a":1}"#]),
        (#"{"type":"object","properties":{},"additionalProperties":false}"#, ["{}"], [#"{"a":1}"#]),
        (
            ##"{"$ref":"#/$defs/list","$defs":{"list":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/list"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}}}"##,
            [#"{"next":null}"#, #"{"next":{"next":null}}"#], ["{}", #"{"next":1}"#]
        ),
        (
            #"{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"],"additionalProperties":false},{"type":"object","properties":{"k":{"enum":["b","c"]}},"required":["k"],"additionalProperties":false}]}"#,
            [#"{"k":"a"}"#, #"{"k":"c"}"#], [#"{"k":"d"}"#]
        ),
        (##"{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"const":1}}}"##, ["1"], ["2"]),
    ]

    @Test("Arrays, objects and references", arguments: containers)
    func container(_ test: Case) throws { try check(test) }

    @Test(
        "What is not enforced is refused by name",
        arguments: [
            (#"{"type":"object","minProperties":1}"#, "minProperties"),
            (#"{"type":"object","patternProperties":{}}"#, "patternProperties"),
            (#"{"type":"array","uniqueItems":true}"#, "uniqueItems"), (#"{"type":"array","contains":{}}"#, "contains"),
            (#"{"not":{}}"#, "not"), (#"{"if":{}}"#, "if"), (#"{"nonsense":1}"#, "nonsense"),
            (#"{"type":"string","format":"uri"}"#, "uri"), (#"{"type":"string","pattern":"(?=a)"}"#, "pattern"),
            (#"{"type":"string","pattern":"(a)\\1"}"#, "pattern"), (#"{"type":"string","pattern":"\\bx"}"#, "pattern"),
            (#"{"type":"string","pattern":"a^b"}"#, "pattern"), (#"{"type":"string","pattern":"("}"#, "pattern"),
            (#"{"type":"string","pattern":"a","minLength":1}"#, "minLength"),
            (#"{"type":"number","multipleOf":0.1}"#, "multipleOf"), (#"{"type":"number","minimum":0.5}"#, "minimum"),
            (#"{"type":"integer","multipleOf":1000000}"#, "multipleOf"), (#"{"$ref":"http://x/y"}"#, "$ref"),
            (##"{"$ref":"#/nowhere"}"##, "nowhere"), (##"{"$ref":"#"}"##, "left-recursive"),
            (##"{"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{}}}"##, "minLength"),
            (#"{"allOf":[{},{}]}"#, "allOf"), (#"{"anyOf":[]}"#, "anyOf"),
            (#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "oneOf"),
            (#"{"oneOf":[{"type":"object"},{"type":"object"}]}"#, "oneOf"), (#"{"type":"any"}"#, "any"),
            (#"{"type":[]}"#, "type"),
            (#"{"type":"object","required":["a"]}"#, "required"), (#"{"type":"string","minLength":-1}"#, "minLength"),
            (#"{"type":"string","maxLength":1000000000}"#, "maxLength"),
            (#"{"type":"integer","minimum":1e300}"#, "minimum"),
            (#"{"type":"integer","minimum":5,"maximum":4}"#, "no finite text"), ("false", "no finite text"),
            ("1", "object or a bool"),
        ]
    )
    func refused(_ text: String, _ part: String) throws {
        let error = try #require(throws: ApusError.self) { try schema(text) }
        #expect(error.message.contains(part), "\(error.message)")
    }

    @Test("An error names the place in the schema")
    func pointer() throws {
        let text =
            #"{"type":"object","properties":{"a":{"type":"array","items":{"type":"string","contentEncoding":"x"}}}}"#
        let error = try #require(throws: ApusError.self) { try schema(text) }
        #expect(error.message.contains("#/properties/a/items/contentEncoding"), "\(error.message)")
    }

    @Test("Schema bombs are refused")
    func bombs() {
        let deep =
            String(repeating: #"{"type":"array","items":"#, count: 100) + "{}" + String(repeating: "}", count: 100)
        #expect(throws: ApusError.self) { try schema(deep) }
        let nested =
            String(repeating: #"{"type":"array","minItems":20000,"items":"#, count: 40) + "{}"
            + String(repeating: "}", count: 40)
        #expect(throws: ApusError.self) { try schema(nested) }
        let wide = (0..<30_000).map { #""property number \#($0)":{"type":"string","maxLength":100}"# }.joined(
            separator: ","
        )
        #expect(throws: ApusError.self) { try schema(#"{"type":"object","properties":{\#(wide)}}"#) }
        #expect(throws: ApusError.self) {
            try schema(#"{"type":"string","pattern":"\#(String(repeating: "(", count: 60_000))"}"#)
        }
    }

    @Test("A free object nests at most 32 deep")
    func anyObject() throws {
        let rules = try JSONSchemaCompiler.anyObject()
        func nested(_ depth: Int) -> String {
            String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
        }
        #expect(try accepts(rules, nested(32)))
        #expect(try !accepts(rules, nested(34)))
        #expect(try !accepts(rules, "[]"))
    }
}
