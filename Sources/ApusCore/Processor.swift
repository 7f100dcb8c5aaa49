#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the machine calls its processor.
package enum Processor {
    /// The model's name as the kernel states it; the architecture where it doesn't.
    package static let name: String = {
        #if arch(arm64)
        let architecture = "arm64"
        #else
        let architecture = "x86-64"
        #endif
        guard let file = fopen("/proc/cpuinfo", "r") else { return architecture }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(
                decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].hasPrefix("model name") else { continue }
            return String(parts[1].drop { $0 == " " })
        }
        return architecture
    }()
}
