import ApusServe
import Testing

struct OriginPolicyTests {
    private static let local = OriginPolicy(isLoopback: true, allowedOrigins: ["https://app.example"])

    @Test(arguments: ["localhost", "127.0.0.1:8080", "LOCALHOST:1", "[::1]:8080", "127.8.8.8"])
    func loopbackNamesAreServed(host: String) throws {
        #expect(try Self.local.check(host: host, origin: nil) == nil)
    }

    @Test(arguments: ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "0.0.0.0", "", "[fe80::1]:8080"])
    func aReboundNameIsRefused(host: String) {
        let error = #expect(throws: ServiceError.self) { try Self.local.check(host: host, origin: nil) }
        #expect(error?.status == 403)
    }

    @Test func otherHostsAreServedWhereKeysGuard() throws {
        #expect(try OriginPolicy(isLoopback: false).check(host: "apus.example", origin: nil) == nil)
    }

    @Test func onlyListedOriginsAndTheOwnPageMayCall() throws {
        let host = "127.0.0.1:8080"
        #expect(try Self.local.check(host: host, origin: "https://app.example") == "https://app.example")
        #expect(try Self.local.check(host: host, origin: "http://127.0.0.1:8080") == nil)
        for origin in ["https://evil.example", "http://127.0.0.1:9", "null", "https://app.example.evil"] {
            #expect(throws: ServiceError.self) { try Self.local.check(host: host, origin: origin) }
        }
        let open = OriginPolicy(isLoopback: true, allowedOrigins: ["*"])
        #expect(try open.check(host: host, origin: "https://any.example") == "https://any.example")
    }

    @Test func loopbackAddressesAreKnown() {
        for host in ["127.0.0.1", "localhost", "::1", "127.1.2.3"] { #expect(OriginPolicy.isLoopback(host: host)) }
        for host in ["0.0.0.0", "::", "192.168.0.1", "127.0.0.1.example", "127.0.0.256", "localhost.example"] {
            #expect(!OriginPolicy.isLoopback(host: host))
        }
    }
}
