// The blocks of each quant format as they lie in GGUF files. Little-endian; `d`, `m` and `dmin` are binary16.
//
// Blocks of 32 hold one scale (and one minimum). Super-blocks of 256 hold small integer scales of their sub-blocks and
// one or two binary16 factors over those. "w" below is the weight, "q" the stored code.
#pragma once

#include <stdint.h>

#define APUS_BLOCK 32
#define APUS_SUPER_BLOCK 256

#define APUS_BLOCK_STRUCT(name, bytes, ...)                 \
    typedef struct __attribute__((packed)) name __VA_ARGS__ name; \
    _Static_assert(sizeof(name) == (bytes), #name)

/// w = d (q - 8). Byte i: element i in the low half, i + 16 in the high half.
APUS_BLOCK_STRUCT(apus_q4_0_block, 18, {
    uint16_t d;
    uint8_t low[16];
});

/// w = d q + m. Halves as in Q4_0.
APUS_BLOCK_STRUCT(apus_q4_1_block, 20, {
    uint16_t d;
    uint16_t m;
    uint8_t low[16];
});

/// w = d (q - 16). Low four bits as in Q4_0; bit i of `high` is bit 4 of element i.
APUS_BLOCK_STRUCT(apus_q5_0_block, 22, {
    uint16_t d;
    uint32_t high;
    uint8_t low[16];
});

/// w = d q + m. Bits as in Q5_0.
APUS_BLOCK_STRUCT(apus_q5_1_block, 24, {
    uint16_t d;
    uint16_t m;
    uint32_t high;
    uint8_t low[16];
});

/// w = d q.
APUS_BLOCK_STRUCT(apus_q8_0_block, 34, {
    uint16_t d;
    int8_t codes[32];
});

/// w = d s q - dmin m, sub-blocks of 16, s in the low half of scales[sub-block], m in the high half.
/// Element 128 h + 32 p + i: bits 2p of low[32 h + i].
APUS_BLOCK_STRUCT(apus_q2_k_block, 84, {
    uint8_t scales[16];
    uint8_t low[64];
    uint16_t d;
    uint16_t dmin;
});

/// w = d (s - 32) (q - 4), sub-blocks of 16. Low two bits as in Q2_K; bit 4 h + p of high[i] is bit 2.
APUS_BLOCK_STRUCT(apus_q3_k_block, 110, {
    uint8_t high[32];
    uint8_t low[64];
    uint8_t scales[12];
    uint16_t d;
});

/// w = d s q - dmin m, sub-blocks of 32. Element 64 g + i: low half of low[32 g + i], 64 g + 32 + i: high half.
APUS_BLOCK_STRUCT(apus_q4_k_block, 144, {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t low[128];
});

/// As Q4_K; bit b of high[i] is bit 4 of element i of sub-block b.
APUS_BLOCK_STRUCT(apus_q5_k_block, 176, {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t high[32];
    uint8_t low[128];
});

/// w = d s (q - 32), sub-blocks of 16. Element 128 h + 32 p + i: four bits in low[64 h + 32 (p mod 2) + i], the high
/// half for p >= 2; bits 2p of high[32 h + i] are bits 4 and 5.
APUS_BLOCK_STRUCT(apus_q6_k_block, 210, {
    uint8_t low[128];
    uint8_t high[64];
    int8_t scales[16];
    uint16_t d;
});

/// w = d grid[q]. Halves as in Q4_0.
APUS_BLOCK_STRUCT(apus_iq4_nl_block, 18, {
    uint16_t d;
    uint8_t low[16];
});

/// w = d (s - 32) grid[q], sub-blocks of 32 with halves as in Q4_0. Sub-block b: four bits of s in the b-th half byte
/// of scales_low, two in bits 2b of scales_high.
APUS_BLOCK_STRUCT(apus_iq4_xs_block, 136, {
    uint16_t d;
    uint16_t scales_high;
    uint8_t scales_low[4];
    uint8_t low[128];
});

/// w = d q + m, 3 bits. Element i: bits 2 (i / 16) of low[i mod 16]; bit 2 is bit i mod 32 / 4 of high[4 (i / 32) + i mod 4].
APUS_BLOCK_STRUCT(apus_q3_g64_block, 28, {
    uint16_t d;
    uint16_t m;
    uint8_t low[16];
    uint8_t high[8];
});

/// As Q3_G64; element i: bits 2 (i / 32) of low[i mod 32].
APUS_BLOCK_STRUCT(apus_q3_g128_block, 52, {
    uint16_t d;
    uint16_t m;
    uint8_t low[32];
    uint8_t high[16];
});

/// w = d (q - 8), q in 1 ... 15, one binary32 scale in front of a whole row. A block has halves as in Q4_0.
APUS_BLOCK_STRUCT(apus_i4_row_block, 16, {
    uint8_t low[16];
});

/// A row of one block, and how every row begins.
APUS_BLOCK_STRUCT(apus_i4_row, 20, {
    float d;
    uint8_t low[16];
});

/// The sixteen levels of IQ4_NL and IQ4_XS.
static const int8_t apus_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Scales and minima of a Q4_K or Q5_K super-block, 6 bits each.
static inline void apus_unpack_k_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t minima[8]) {
    for (int j = 0; j < 4; j++) {
        scales[j] = packed[j] & 63;
        minima[j] = packed[4 + j] & 63;
        scales[4 + j] = (uint8_t)((packed[8 + j] & 15) | ((packed[j] >> 6) << 4));
        minima[4 + j] = (uint8_t)((packed[8 + j] >> 4) | ((packed[4 + j] >> 6) << 4));
    }
}

/// The inverse of apus_unpack_k_scales.
static inline void apus_pack_k_scales(const uint8_t scales[8], const uint8_t minima[8], uint8_t packed[12]) {
    for (int j = 0; j < 4; j++) {
        packed[j] = (uint8_t)(scales[j] | (scales[4 + j] >> 4) << 6);
        packed[4 + j] = (uint8_t)(minima[j] | (minima[4 + j] >> 4) << 6);
        packed[8 + j] = (uint8_t)((scales[4 + j] & 15) | (minima[4 + j] & 15) << 4);
    }
}

/// Signed scales (-32 ... 31) of a Q3_K super-block.
static inline void apus_unpack_q3_k_scales(const uint8_t packed[12], int8_t scales[16]) {
    for (int j = 0; j < 16; j++) {
        int low = (packed[j % 8] >> (4 * (j / 8))) & 15;
        int high = (packed[8 + j % 4] >> (2 * (j / 4))) & 3;
        scales[j] = (int8_t)((low | (high << 4)) - 32);
    }
}

/// Signed scales (-32 ... 31) of an IQ4_XS super-block.
static inline void apus_unpack_iq4_xs_scales(const apus_iq4_xs_block *block, int8_t scales[8]) {
    for (int j = 0; j < 8; j++) {
        int low = (block->scales_low[j / 2] >> (4 * (j % 2))) & 15;
        int high = (block->scales_high >> (2 * j)) & 3;
        scales[j] = (int8_t)((low | (high << 4)) - 32);
    }
}
