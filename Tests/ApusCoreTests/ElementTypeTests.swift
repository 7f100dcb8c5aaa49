import ApusCore
import Testing

@Suite struct ElementTypeTests {
    @Test(arguments: ElementType.allCases)
    func nameRoundTrips(type: ElementType) {
        #expect(ElementType(name: type.description.lowercased()) == type)
    }

    @Test func bytesOfARowAreChecked() {
        #expect(ElementType.q4K.byteCount(elementCount: 512) == 288)
        #expect(ElementType.q4K.byteCount(elementCount: 100) == nil)
        #expect(ElementType.f32.byteCount(elementCount: .max) == nil)
        #expect(ElementType.f32.byteCount(elementCount: -1) == nil)
    }
}
