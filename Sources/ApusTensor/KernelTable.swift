package import ApusCore
package import CApusKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A set of kernels for one class of CPU.
///
/// All tiers give the same bits (docs/numbers.md).
public enum KernelTier: String, Sendable, CaseIterable {
    case scalar
    case avx2
    case avx512
    case avx512vnni
    case neon

    package var rawTier: apus_tier {
        switch self {
        case .scalar: APUS_TIER_SCALAR
        case .avx2: APUS_TIER_AVX2
        case .avx512: APUS_TIER_AVX512
        case .avx512vnni: APUS_TIER_AVX512VNNI
        case .neon: APUS_TIER_NEON
        }
    }

    /// The fastest tier this CPU can run.
    public static var best: KernelTier {
        allCases.first { $0.rawTier == apus_best_tier() } ?? .scalar
    }

    /// Whether this CPU can run the tier.
    public var isAvailable: Bool { apus_kernels_for_tier(rawTier) != nil }

    /// The tiers this CPU can run, slowest first.
    public static var available: [KernelTier] { allCases.filter(\.isAvailable) }

    /// The tier named by the environment variable `APUS_KERNELS`, or the best one.
    /// - Throws: `ApusError` (`invalidArgument`) for an unknown name, `unsupported` for a tier this CPU lacks.
    public static func fromEnvironment() throws -> KernelTier {
        guard let value = getenv("APUS_KERNELS").map({ String(cString: $0) }), !value.isEmpty else { return best }
        let known = allCases.map(\.rawValue).joined(separator: ", ")
        guard let tier = KernelTier(rawValue: value) else {
            throw ApusError(.invalidArgument, "APUS_KERNELS=\(value): unknown tier; known tiers: \(known)")
        }
        guard tier.isAvailable else {
            let usable = available.map(\.rawValue).joined(separator: ", ")
            throw ApusError(.unsupported, "APUS_KERNELS=\(value): this CPU cannot run it; it can run: \(usable)")
        }
        return tier
    }
}

/// The kernels of one tier, chosen once at start.
public struct KernelTable: Sendable {
    /// The tier the kernels belong to.
    public let tier: KernelTier
    // Sound to share: points to a static C table that is never written after its first use.
    package nonisolated(unsafe) let raw: UnsafePointer<apus_kernels>

    /// The kernels of `tier`.
    /// - Throws: `ApusError` (`unsupported`) if this CPU cannot run them.
    public init(tier: KernelTier) throws {
        guard let raw = apus_kernels_for_tier(tier.rawTier) else {
            throw ApusError(.unsupported, "this CPU cannot run the \(tier.rawValue) kernels")
        }
        self.tier = tier
        self.raw = raw
    }

    /// The format row of an element type: how it is packed and multiplied.
    package func format(of type: ElementType) -> apus_format {
        // Every element type has a row; the C side asserts the order at compile time, the tests check it.
        let count = Int(APUS_FORMAT_COUNT)
        return withUnsafePointer(to: raw.pointee.linear.formats) { rows in
            rows.withMemoryRebound(to: apus_format.self, capacity: count) { rows in
                for index in 0..<count where rows[index].type == Int32(type.rawValue) { return rows[index] }
                preconditionFailure("no kernel row for \(type)")
            }
        }
    }
}
