// From a tile to codes and scales in registers: one pair of functions per format, written for any vector width.
//
// `open` prepares what a tile's block holds once (factors, small scales); `unpack` brings out group `index` of 32 inputs
// for the part of the 16 outputs that one vector covers. The codes are unsigned: w[s] has the four inputs 4 s ... 4 s + 3
// of each lane's output.
#pragma once

#include "linear_tiles.h"
#include "vector.h"

/// A tile's 16 outputs take so many vectors.
#define APUS_PARTS (APUS_TILE_ROWS / APUS_LANES)

typedef struct weight_group {
    vbyte w[8];
    vfloat d, m;    ///< factors of the dot product and of the activation sum
    vfloat s0, s1;  ///< scales of the two halves, integers
    vint minima;    ///< minima of the two halves, as a pair of int16
} weight_group;

typedef struct block_scales {
    vfloat d, m;
    vword words[4];
} block_scales;

APUS_INLINE vword part_of(const uint32_t words[16], int part) {
    return load_word(words + part * APUS_LANES);
}

/// Byte `index` of each word.
APUS_INLINE vint byte_of(vword words, int index) {
    return (vint)((words >> (uint32_t)(8 * index)) & 0xff);
}

APUS_INLINE vint signed_byte_of(vword words, int index) {
    return (vint)(words << (uint32_t)(24 - 8 * index)) >> 24;
}

/// A block whose scales stand before its pair.
APUS_INLINE void open_paired(block_scales *scales, const uint16_t d[16], int part) {
    scales->d = load_half(d + part * APUS_LANES);
}

APUS_INLINE void open_factors(block_scales *scales, const uint16_t d[16], const uint16_t m[16], int part) {
    scales->d = load_half(d + part * APUS_LANES);
    scales->m = load_half(m + part * APUS_LANES);
}

// MARK: Blocks of 32

APUS_INLINE void unpack_halves(vbyte w[8], const uint32_t low[4][16], int part) {
    for (int s = 0; s < 4; s++) {
        vword words = part_of(low[s], part);
        w[s] = (vbyte)(words & 0x0f0f0f0f);
        w[s + 4] = (vbyte)((words >> 4) & 0x0f0f0f0f);
    }
}

/// Bit s of byte e of `high` becomes bit `place` of input 4 s + e.
APUS_INLINE void add_step_bits(vbyte w[8], const uint32_t high[16], int place, int part) {
    vword bits = part_of(high, part);
    for (int s = 0; s < 8; s++) {
        vword moved = s < place ? bits << (uint32_t)(place - s) : bits >> (uint32_t)(s - place);
        w[s] = (vbyte)((vword)w[s] | (moved & (0x01010101u << place)));
    }
}

APUS_INLINE void open_q4_0(block_scales *scales, const void *front, const void *block, int part) {
    (void)block;
    open_paired(scales, front, part);
}

APUS_INLINE void unpack_q4_0(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    (void)index;
    unpack_halves(out->w, ((const apus_q4_0_tile *)block)->low, part);
    out->d = scales->d;
}

APUS_INLINE void open_i4_row(block_scales *scales, const void *front, const void *block, int part) {
    (void)block;
    scales->d = load_float((const float *)front + part * APUS_LANES);
}

APUS_INLINE void unpack_i4_row(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    unpack_q4_0(out, scales, block, index, part);
}

APUS_INLINE void open_q4_1(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q4_1_tile *tile = block;
    open_factors(scales, tile->d, tile->m, part);
}

APUS_INLINE void unpack_q4_1(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    (void)index;
    unpack_halves(out->w, ((const apus_q4_1_tile *)block)->low, part);
    out->d = scales->d;
    out->m = scales->m;
}

APUS_INLINE void unpack_q5_0(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    (void)index;
    const apus_q5_0_tile *tile = block;
    unpack_halves(out->w, tile->low, part);
    add_step_bits(out->w, tile->high, 4, part);
    out->d = scales->d;
}

APUS_INLINE void open_q5_1(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q5_1_tile *tile = block;
    open_factors(scales, tile->d, tile->m, part);
}

APUS_INLINE void unpack_q5_1(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    (void)index;
    const apus_q5_1_tile *tile = block;
    unpack_halves(out->w, tile->low, part);
    add_step_bits(out->w, tile->high, 4, part);
    out->d = scales->d;
    out->m = scales->m;
}

APUS_INLINE void unpack_q8_0(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    (void)index;
    for (int s = 0; s < 8; s++) { out->w[s] = (vbyte)part_of(((const apus_q8_0_tile *)block)->codes[s], part); }
    out->d = scales->d;
}

APUS_INLINE void look_up_levels(vbyte w[8]) {
    for (int s = 0; s < 8; s++) { w[s] = look_up_level(w[s]); }
}

APUS_INLINE void unpack_iq4_nl(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    unpack_q4_0(out, scales, block, index, part);
    look_up_levels(out->w);
}

// MARK: Groups of 64 and 128

APUS_INLINE void open_q3_g64(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q3_g64_tile *tile = block;
    open_factors(scales, tile->d, tile->m, part);
}

APUS_INLINE void unpack_q3_g64(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q3_g64_tile *tile = block;
    for (int s = 0; s < 8; s++) {
        out->w[s] = (vbyte)((part_of(tile->low[s % 4], part) >> (uint32_t)(4 * index + 2 * (s / 4))) & 0x03030303);
    }
    add_step_bits(out->w, tile->high[index], 2, part);
    out->d = scales->d;
    out->m = scales->m;
}

APUS_INLINE void open_q3_g128(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q3_g128_tile *tile = block;
    open_factors(scales, tile->d, tile->m, part);
}

APUS_INLINE void unpack_q3_g128(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q3_g128_tile *tile = block;
    for (int s = 0; s < 8; s++) {
        out->w[s] = (vbyte)((part_of(tile->low[s], part) >> (uint32_t)(2 * index)) & 0x03030303);
    }
    add_step_bits(out->w, tile->high[index], 2, part);
    out->d = scales->d;
    out->m = scales->m;
}

// MARK: Super-blocks with a scale per 32

APUS_INLINE void open_iq4_xs(block_scales *scales, const void *front, const void *block, int part) {
    const apus_iq4_xs_tile *tile = block;
    (void)front;
    scales->d = load_half(tile->d + part * APUS_LANES);
    scales->words[0] = part_of(tile->scales_low, part);
    scales->words[1] = load_short(tile->scales_high + part * APUS_LANES);
}

APUS_INLINE void unpack_iq4_xs(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_iq4_xs_tile *tile = block;
    unpack_halves(out->w, tile->low + 4 * index, part);
    look_up_levels(out->w);
    vword low = (scales->words[0] >> (uint32_t)(4 * index)) & 15;
    vword high = (scales->words[1] >> (uint32_t)(2 * index)) & 3;
    out->d = scales->d * to_float((vint)(low | high << 4) - 32);
}

/// Sixteen 6-bit numbers in three words become four words of bytes: scales 0-3, 4-7, minima 0-3, 4-7.
APUS_INLINE void open_k_scales(block_scales *scales, const uint32_t packed[3][16], int part) {
    vword first = part_of(packed[0], part), second = part_of(packed[1], part), third = part_of(packed[2], part);
    scales->words[0] = first & 0x3f3f3f3f;
    scales->words[1] = (third & 0x0f0f0f0f) | ((first >> 2) & 0x30303030);
    scales->words[2] = second & 0x3f3f3f3f;
    scales->words[3] = ((third >> 4) & 0x0f0f0f0f) | ((second >> 2) & 0x30303030);
}

APUS_INLINE void unpack_k_scales(weight_group *out, const block_scales *scales, int index) {
    out->d = scales->d * to_float(byte_of(scales->words[index / 4], index % 4));
    out->m = -(scales->m * to_float(byte_of(scales->words[2 + index / 4], index % 4)));
}

APUS_INLINE void unpack_k_low(vbyte w[8], const uint32_t low[32][16], int index, int part) {
    uint32_t shift = (uint32_t)(4 * (index % 2));
    for (int s = 0; s < 8; s++) { w[s] = (vbyte)((part_of(low[8 * (index / 2) + s], part) >> shift) & 0x0f0f0f0f); }
}

APUS_INLINE void open_q4_k(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q4_k_tile *tile = block;
    open_factors(scales, tile->d, tile->dmin, part);
    open_k_scales(scales, tile->scales, part);
}

APUS_INLINE void unpack_q4_k(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    unpack_k_low(out->w, ((const apus_q4_k_tile *)block)->low, index, part);
    unpack_k_scales(out, scales, index);
}

APUS_INLINE void open_q5_k(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q5_k_tile *tile = block;
    open_factors(scales, tile->d, tile->dmin, part);
    open_k_scales(scales, tile->scales, part);
}

APUS_INLINE void unpack_q5_k(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q5_k_tile *tile = block;
    unpack_k_low(out->w, tile->low, index, part);
    for (int s = 0; s < 8; s++) {
        vword bit = (part_of(tile->high[s], part) >> (uint32_t)index) & 0x01010101;
        out->w[s] = (vbyte)((vword)out->w[s] | bit << 4);
    }
    unpack_k_scales(out, scales, index);
}

// MARK: Super-blocks with a scale per 16

/// Bits 2 (index mod 4) of the words of 128 inputs.
APUS_INLINE vword two_bits(const uint32_t words[16][16], int index, int s, int part) {
    return (part_of(words[8 * (index / 4) + s], part) >> (uint32_t)(2 * (index % 4))) & 0x03030303;
}

APUS_INLINE void open_q6_k(block_scales *scales, const void *front, const void *block, int part) {
    (void)block;
    open_paired(scales, front, part);
}

APUS_INLINE void unpack_q6_k(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q6_k_tile *tile = block;
    uint32_t shift = (uint32_t)(4 * (index % 4 / 2));
    for (int s = 0; s < 8; s++) {
        vword low = part_of(tile->low[16 * (index / 4) + 8 * (index % 2) + s], part) >> shift;
        out->w[s] = (vbyte)((low & 0x0f0f0f0f) | two_bits(tile->high, index, s, part) << 4);
    }
    vword pair = part_of(tile->scales[index / 2], part) >> (uint32_t)(16 * (index % 2));
    out->s0 = to_float(signed_byte_of(pair, 0));
    out->s1 = to_float(signed_byte_of(pair, 1));
    out->d = scales->d;
}

APUS_INLINE void open_q3_k(block_scales *scales, const void *front, const void *block, int part) {
    const apus_q3_k_tile *tile = block;
    open_paired(scales, front, part);
    vword high = part_of(tile->scales[2], part);
    for (int i = 0; i < 4; i++) {
        vword low = part_of(tile->scales[i % 2], part) >> (uint32_t)(4 * (i / 2));
        scales->words[i] = (low & 0x0f0f0f0f) | ((high >> (uint32_t)(2 * i)) & 0x03030303) << 4;
    }
}

APUS_INLINE void unpack_q3_k(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q3_k_tile *tile = block;
    for (int s = 0; s < 8; s++) {
        vword bit = (part_of(tile->high[s], part) >> (uint32_t)index) & 0x01010101;
        out->w[s] = (vbyte)(two_bits(tile->low, index, s, part) | bit << 2);
    }
    vword pair = scales->words[index / 2] >> (uint32_t)(16 * (index % 2));
    out->s0 = to_float(byte_of(pair, 0) - 32);
    out->s1 = to_float(byte_of(pair, 1) - 32);
    out->d = scales->d;
}

APUS_INLINE void open_q2_k(block_scales *scales, const void *front, const void *block, int part) {
    (void)front;
    const apus_q2_k_tile *tile = block;
    open_factors(scales, tile->d, tile->dmin, part);
}

APUS_INLINE void unpack_q2_k(weight_group *out, const block_scales *scales, const void *block, int index, int part) {
    const apus_q2_k_tile *tile = block;
    for (int s = 0; s < 8; s++) { out->w[s] = (vbyte)two_bits(tile->low, index, s, part); }
    vword pair = part_of(tile->scales[index / 2], part) >> (uint32_t)(16 * (index % 2));
    out->s0 = to_float((vint)(pair & 15));
    out->s1 = to_float((vint)((pair >> 8) & 15));
    out->minima = (vint)(((pair >> 4) & 15) | ((pair >> 12) & 15) << 16);
    out->d = scales->d;
    out->m = -scales->m;
}
