import ApusCore
import ApusServe
import ApusTestSupport
import Testing

struct KeyRingTests {
    @Test func linesAreKeysWithNamesAndLimits() throws {
        let text = """
            # keys
            sk-one alice concurrency=2 tokens-per-minute=100   # the first
            sk-two

            sk-three tokens-per-minute=5 carol
            """
        let ring = try KeyRing(parsing: text, path: "keys")
        #expect(
            ring.caller(presenting: "sk-one") == Caller(name: "alice", concurrency: 2, tokensPerMinute: 100)
        )
        #expect(ring.caller(presenting: "sk-two") == Caller(name: "key-3"))
        #expect(ring.caller(presenting: "sk-three") == Caller(name: "carol", tokensPerMinute: 5))
        for wrong in ["", "sk-on", "sk-one ", "sk-onee", "alice", "SK-ONE"] {
            #expect(ring.caller(presenting: wrong) == nil)
        }
    }

    @Test(arguments: [
        "", "# nothing", "sk-a a\nsk-b a", "sk-a\nsk-a", "sk-a concurrency=0", "sk-a concurrency=", "sk-a speed=1",
        "sk-a a b", "b sk-a=c", "sk-a concurrency=99999999999999999999",
    ])
    func aBadFileIsRefusedWithoutShowingKeys(text: String) throws {
        let error = #expect(throws: ApusError.self) { try KeyRing(parsing: text, path: "keys") }
        #expect(error?.message.contains("sk-a") == false)
    }

    @Test func aChangedFileIsReadAgain() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/keys"
        try folder.write(Array("sk-old\n".utf8), to: "keys")
        let file = try KeyFile(path: path)
        let start = ContinuousClock.now
        #expect(file.ring(now: start).caller(presenting: "sk-old") != nil)
        try folder.write(Array("sk-new\n".utf8), to: "keys")
        let later = file.ring(now: start.advanced(by: .seconds(2)))
        #expect(later.caller(presenting: "sk-new") != nil && later.caller(presenting: "sk-old") == nil)
        try folder.write(Array("sk-a sk-b sk-c\n".utf8), to: "keys")
        #expect(file.ring(now: start.advanced(by: .seconds(4))).caller(presenting: "sk-new") != nil)
    }
}
