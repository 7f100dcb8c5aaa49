import ApusCore
import ApusFormats
import ApusQuantize
import ApusTestSupport
import Testing

extension QuantizationType {
    /// Whether llama.cpp has no type of the name.
    fileprivate var isOurs: Bool { fileType >> 16 == 0x4150 }
}

/// What llama.cpp's quantizer chooses: tools/fixtures/quantization-types.py.
struct QuantizationTypeTests {
    @Test func everyTensorGetsTheTypeThatLlamaCppGivesIt() throws {
        let models = try JSONValue(parsing: MappedFile(path: Fixture.path("quantize/types.json")).bytes).elements()
        #expect(models.count == 3)
        for entry in models {
            let tensors = try entry.member("tensors").elements().map { pair in
                let parts = Array(try pair.elements())
                return (name: try parts[0].string(), shape: try parts[1].elements().map { try $0.integer() })
            }
            let heads = try entry.member("heads").integer() / entry.member("kv_heads").integer()
            for (isWeighted, type) in [false, true].flatMap({ isWeighted in
                QuantizationType.all.filter { !$0.isOurs }.map { (isWeighted, $0) }
            }) {
                let model = QuantizationType.Model(
                    layerCount: try entry.member("layers").integer(),
                    queryHeadsPerKeyValueHead: heads,
                    hasOutput: tensors.contains { $0.name == "output.weight" },
                    hasImportance: isWeighted
                )
                let types = try entry.member(isWeighted ? "types_with_importance" : "types")
                let expected = try types.member(type.name).elements().map { try $0.integer() }
                #expect(expected.count == tensors.count)
                for (tensor, number) in zip(tensors, expected) {
                    let found = type.type(of: tensor.name, shape: tensor.shape, in: model) ?? .f32
                    #expect(Int(found.rawValue) == number, "\(type.name) \(isWeighted) \(tensor.name) \(tensor.shape)")
                }
            }
        }
    }

    @Test func namesAreReadInAnyCase() {
        #expect(QuantizationType(name: "q4_k_m")?.name == "Q4_K_M")
        #expect(QuantizationType(name: "Q4_K")?.name == "Q4_K_M")
        #expect(QuantizationType(name: "q9_9") == nil)
        #expect(Set(QuantizationType.all.map(\.name)).count == QuantizationType.all.count)
    }

    @Test(arguments: [
        (384, ElementType.q3G128, ElementType.q3G64), (192, .q3G64, .q3G64), (96, .q4_0, .q4_0), (100, .f16, .f16),
    ]) func rowsThatAreNoWholeGroupsGetShorterOnes(rowLength: Int, of128: ElementType, of64: ElementType) {
        let model = QuantizationType.Model(layerCount: 2, queryHeadsPerKeyValueHead: 8, hasOutput: true)
        let ofRows: ElementType = rowLength == 100 ? .f16 : .i4Row
        for (name, expected) in [("Q3_G128", of128), ("Q3_G64", of64), ("I4_ROW", ofRows)] {
            let type = QuantizationType(name: name)
            #expect(type?.type(of: "blk.1.ffn_down.weight", shape: [rowLength, 4], in: model) == expected)
            let output = type?.type(of: "output.weight", shape: [rowLength, 4], in: model)
            #expect(output == (rowLength == 100 ? .f16 : .q8_0))
            #expect(type?.type(of: "output.weight", shape: [512, 4], in: model) == .q6K)
        }
    }

    @Test func rulesAreShellPatternsOverWholeNames() {
        let rule = TensorRule("blk.*.ffn_down.weight=q6_k")
        #expect(rule?.type == .q6K)
        #expect(rule?.matches("blk.11.ffn_down.weight") == true)
        #expect(rule?.matches("blk.11.ffn_down.weight.x") == false)
        for wrong in ["", "=q6_k", "ffn_down", "ffn_down=q7_k", "ffn_down="] { #expect(TensorRule(wrong) == nil) }
    }

    @Test(arguments: [Int.min, -1, 0, 1, Int.max]) func whateverAFileClaimsATypeIsFound(count: Int) {
        let model = QuantizationType.Model(layerCount: count, queryHeadsPerKeyValueHead: 1, hasOutput: true)
        for type in QuantizationType.all where type.base.isQuantized {
            for layer in ["0", "-1", "\(Int.max)", "\(Int.min)", "99999999999999999999", "", "x"] {
                let found = type.type(of: "blk.\(layer).ffn_down.weight", shape: [256, 1], in: model)
                #expect(found?.isQuantized == true)
            }
            #expect(type.type(of: "weight", shape: [1, 1], in: model) == .f16)
        }
    }
}
