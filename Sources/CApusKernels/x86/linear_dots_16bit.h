// Exact 8-bit dot products without VNNI. vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits and
// saturates; codes of few bits leave room, so several steps are added before they are widened. A tier file defines
// multiply_bytes(unsigned, signed) and multiply_signed_bytes(signed, signed), both into sums of two.
#pragma once

#include "../linear_unpack.h"

/// Steps whose sums of two stay in 16 bits: 2 (2^bits - 1) 127 each.
APUS_INLINE int steps_in_16_bits(int bits) {
    return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
}

/// Codes of 8 bits are made signed, -128 ... 127: 2 * 128 * 127 just fits.
APUS_INLINE int code_offset(int offset, int bits) {
    return bits == 8 ? 0 : offset;
}

APUS_INLINE vshort multiply_codes(vbyte w, vbyte x, int bits) {
    return bits == 8 ? multiply_signed_bytes(w ^ 0x80, x) : multiply_bytes(w, x);
}

APUS_INLINE void dot_steps(vint *dots, int columns, int rows, const weight_group *weights, const int8_t *codes,
                           int first, int steps, int bits) {
    int depth = steps_in_16_bits(bits) < steps ? steps_in_16_bits(bits) : steps;
    for (int start = first; start < first + steps; start += depth) {
        vshort sums[APUS_COLUMNS * 8];
        for (int s = start; s < start + depth; s++) {
            for (int row = 0; row < rows; row++) {
                int32_t four;
                memcpy(&four, codes + row * APUS_GROUP + 4 * s, sizeof four);
                for (int column = 0; column < columns; column++) {
                    int i = column * rows + row;
                    vshort product = multiply_codes(weights[column].w[s], (vbyte)splat_int(four), bits);
                    sums[i] = s == start ? product : sums[i] + product;
                }
            }
        }
        for (int i = 0; i < columns * rows; i++) { dots[i] += pair_dot((vint)sums[i], splat_int(0x00010001)); }
    }
}
