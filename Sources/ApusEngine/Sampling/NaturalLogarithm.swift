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
