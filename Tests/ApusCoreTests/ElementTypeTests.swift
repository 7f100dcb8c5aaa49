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
        #expect(ElementType.i4Row.byteCount(elementCount: 96) == 52)
        #expect(ElementType.i4Row.byteCount(elementCount: 100) == nil)
        for type in ElementType.allCases {
            #expect(type.byteCount(elementCount: 512).flatMap(type.elementCount) == 512)
            #expect(type.elementCount(byteCount: type.rowHeaderByteCount + 1) == nil)
        }
        #expect(ElementType.i4Row.elementCount(byteCount: 3) == nil)
    }
}
