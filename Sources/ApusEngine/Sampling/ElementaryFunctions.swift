/// `e^x` as docs/numbers.md, section 5, defines it: the same bits on every machine, and those of the kernels.
package func exponential(_ x: Float) -> Float {
    if x > 88.72 { return .infinity }
    if x < -87.33 { return 0 }
    if x.isNaN { return x }
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, halves to even.
    let n = (x * 0x1.715476p0 + 0x1.8p23) - 0x1.8p23
    // ln 2 in two parts; the first has 15 bits, so its product with n is exact.
    var r = x.addingProduct(-n, 0x1.62e4p-1)
    r = r.addingProduct(-n, 0x1.7f7d1cp-20)
    var p: Float = 0x1.6a23dp-10
    p = (0x1.123a2p-7 as Float).addingProduct(p, r)
    p = (0x1.5558f2p-5 as Float).addingProduct(p, r)
    p = (0x1.555492p-3 as Float).addingProduct(p, r)
    p = (0x1.fffffcp-2 as Float).addingProduct(p, r)
    p = (1 as Float).addingProduct(p, r)
    p = (1 as Float).addingProduct(p, r)
    return Float(bitPattern: p.bitPattern &+ UInt32(bitPattern: Int32(n)) << 23)
}

/// The natural logarithm of a positive, finite number, built from exactly rounded operations only, so that it has the
/// same bits on every machine; error below 1e-15 relative to the larger of 1 and the result.
package func naturalLogarithm(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var significand = x.significand
    if significand > 1.414_213_562_373_095 {
        significand /= 2
        exponent += 1
    }
    // ln m = 2 artanh s, by its Taylor series; |s| < 0.172.
    let s = (significand - 1) / (significand + 1)
    let square = s * s
    var sum = 0.0
    var divisor = 19.0
    while divisor >= 1 {
        sum = sum * square + 1 / divisor
        divisor -= 2
    }
    return exponent * 0.693_147_180_559_945_3 + 2 * s * sum
}
