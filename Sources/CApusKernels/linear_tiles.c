// Packing quantized rows into tiles, and reading them back.

#include "linear_tiles.h"

#include <stdalign.h>
#include <string.h>

#include "apus_codecs.h"

#define FIELD(block, tile, from, to, units, bytes, how) \
    { offsetof(block, from), offsetof(tile, to), units, bytes, how }
#define WORDS(block, tile, name, units) FIELD(block, tile, name, name, units, 4, APUS_CODING_PLAIN)
#define HALF(block, tile, name) FIELD(block, tile, name, name, 1, 2, APUS_CODING_PLAIN)
#define BITS(block, tile, name) FIELD(block, tile, name, name, 1, 4, APUS_CODING_STEP_BITS)

/// A format whose block headers keep the alignment.
#define LAYOUT(number, length, block, tile, count, ...) \
    { number, length, sizeof(block), sizeof(tile), APUS_SCALES_INSIDE, 0, count, {__VA_ARGS__} }
/// A format whose scale `d` stands before a pair of blocks.
#define PAIR_LAYOUT(number, length, block, tile, count, ...) \
    { number, length, sizeof(block), sizeof(tile), APUS_SCALES_BEFORE_PAIR, offsetof(block, d), count, {__VA_ARGS__} }

static const apus_tile_layout q4_0 =
    PAIR_LAYOUT(2, 32, apus_q4_0_block, apus_q4_0_tile, 1, WORDS(apus_q4_0_block, apus_q4_0_tile, low, 4));
static const apus_tile_layout q4_1 =
    LAYOUT(3, 32, apus_q4_1_block, apus_q4_1_tile, 3, HALF(apus_q4_1_block, apus_q4_1_tile, d),
           HALF(apus_q4_1_block, apus_q4_1_tile, m), WORDS(apus_q4_1_block, apus_q4_1_tile, low, 4));
static const apus_tile_layout q5_0 =
    PAIR_LAYOUT(6, 32, apus_q5_0_block, apus_q5_0_tile, 2, BITS(apus_q5_0_block, apus_q5_0_tile, high),
                 WORDS(apus_q5_0_block, apus_q5_0_tile, low, 4));
static const apus_tile_layout q5_1 =
    LAYOUT(7, 32, apus_q5_1_block, apus_q5_1_tile, 4, HALF(apus_q5_1_block, apus_q5_1_tile, d),
           HALF(apus_q5_1_block, apus_q5_1_tile, m), BITS(apus_q5_1_block, apus_q5_1_tile, high),
           WORDS(apus_q5_1_block, apus_q5_1_tile, low, 4));
static const apus_tile_layout q8_0 =
    PAIR_LAYOUT(8, 32, apus_q8_0_block, apus_q8_0_tile, 1,
                 FIELD(apus_q8_0_block, apus_q8_0_tile, codes, codes, 8, 4, APUS_CODING_OFFSET_128));
static const apus_tile_layout q2_k =
    LAYOUT(10, 256, apus_q2_k_block, apus_q2_k_tile, 4, HALF(apus_q2_k_block, apus_q2_k_tile, d),
           HALF(apus_q2_k_block, apus_q2_k_tile, dmin), WORDS(apus_q2_k_block, apus_q2_k_tile, scales, 4),
           WORDS(apus_q2_k_block, apus_q2_k_tile, low, 16));
static const apus_tile_layout q3_k =
    PAIR_LAYOUT(11, 256, apus_q3_k_block, apus_q3_k_tile, 3, WORDS(apus_q3_k_block, apus_q3_k_tile, scales, 3),
                 WORDS(apus_q3_k_block, apus_q3_k_tile, high, 8), WORDS(apus_q3_k_block, apus_q3_k_tile, low, 16));
static const apus_tile_layout q4_k =
    LAYOUT(12, 256, apus_q4_k_block, apus_q4_k_tile, 4, HALF(apus_q4_k_block, apus_q4_k_tile, d),
           HALF(apus_q4_k_block, apus_q4_k_tile, dmin), WORDS(apus_q4_k_block, apus_q4_k_tile, scales, 3),
           WORDS(apus_q4_k_block, apus_q4_k_tile, low, 32));
static const apus_tile_layout q5_k =
    LAYOUT(13, 256, apus_q5_k_block, apus_q5_k_tile, 5, HALF(apus_q5_k_block, apus_q5_k_tile, d),
           HALF(apus_q5_k_block, apus_q5_k_tile, dmin), WORDS(apus_q5_k_block, apus_q5_k_tile, scales, 3),
           WORDS(apus_q5_k_block, apus_q5_k_tile, high, 8), WORDS(apus_q5_k_block, apus_q5_k_tile, low, 32));
static const apus_tile_layout q6_k =
    PAIR_LAYOUT(14, 256, apus_q6_k_block, apus_q6_k_tile, 3, WORDS(apus_q6_k_block, apus_q6_k_tile, scales, 4),
                 WORDS(apus_q6_k_block, apus_q6_k_tile, high, 16), WORDS(apus_q6_k_block, apus_q6_k_tile, low, 32));
static const apus_tile_layout iq4_nl =
    PAIR_LAYOUT(20, 32, apus_iq4_nl_block, apus_q4_0_tile, 1, WORDS(apus_iq4_nl_block, apus_q4_0_tile, low, 4));
static const apus_tile_layout iq4_xs =
    LAYOUT(23, 256, apus_iq4_xs_block, apus_iq4_xs_tile, 4, HALF(apus_iq4_xs_block, apus_iq4_xs_tile, d),
           HALF(apus_iq4_xs_block, apus_iq4_xs_tile, scales_high),
           WORDS(apus_iq4_xs_block, apus_iq4_xs_tile, scales_low, 1),
           WORDS(apus_iq4_xs_block, apus_iq4_xs_tile, low, 32));
static const apus_tile_layout q3_g64 =
    LAYOUT(APUS_TYPE_Q3_G64, 64, apus_q3_g64_block, apus_q3_g64_tile, 4, HALF(apus_q3_g64_block, apus_q3_g64_tile, d),
           HALF(apus_q3_g64_block, apus_q3_g64_tile, m), WORDS(apus_q3_g64_block, apus_q3_g64_tile, low, 4),
           WORDS(apus_q3_g64_block, apus_q3_g64_tile, high, 2));
static const apus_tile_layout q3_g128 =
    LAYOUT(APUS_TYPE_Q3_G128, 128, apus_q3_g128_block, apus_q3_g128_tile, 4,
           HALF(apus_q3_g128_block, apus_q3_g128_tile, d), HALF(apus_q3_g128_block, apus_q3_g128_tile, m),
           WORDS(apus_q3_g128_block, apus_q3_g128_tile, low, 8), WORDS(apus_q3_g128_block, apus_q3_g128_tile, high, 4));
// A row's header counts as the front of each of its blocks: fields begin behind it.
static const apus_tile_layout i4_row = {
    APUS_TYPE_I4_ROW, 32, sizeof(apus_i4_row_block), sizeof(apus_i4_row_tile), APUS_SCALES_BEFORE_ROW,
    offsetof(apus_i4_row, d), 1, {WORDS(apus_i4_row, apus_i4_row_tile, low, 4)},
};

_Static_assert(sizeof(apus_q4_0_tile) == 16 * (sizeof(apus_q4_0_block) - 2), "no byte added");
_Static_assert(sizeof(apus_q4_1_tile) == 16 * sizeof(apus_q4_1_block), "no byte added");
_Static_assert(sizeof(apus_q5_0_tile) == 16 * (sizeof(apus_q5_0_block) - 2), "no byte added");
_Static_assert(sizeof(apus_q5_1_tile) == 16 * sizeof(apus_q5_1_block), "no byte added");
_Static_assert(sizeof(apus_q8_0_tile) == 16 * (sizeof(apus_q8_0_block) - 2), "no byte added");
_Static_assert(sizeof(apus_q2_k_tile) == 16 * sizeof(apus_q2_k_block), "no byte added");
_Static_assert(sizeof(apus_q3_k_tile) == 16 * (sizeof(apus_q3_k_block) - 2), "no byte added");
_Static_assert(sizeof(apus_q4_k_tile) == 16 * sizeof(apus_q4_k_block), "no byte added");
_Static_assert(sizeof(apus_q5_k_tile) == 16 * sizeof(apus_q5_k_block), "no byte added");
_Static_assert(sizeof(apus_q6_k_tile) == 16 * (sizeof(apus_q6_k_block) - 2), "no byte added");
_Static_assert(sizeof(apus_iq4_xs_tile) == 16 * sizeof(apus_iq4_xs_block), "no byte added");
_Static_assert(sizeof(apus_i4_row_tile) == 16 * sizeof(apus_i4_row_block), "no byte added");
_Static_assert(sizeof(apus_q3_g64_tile) == 16 * sizeof(apus_q3_g64_block), "no byte added");
_Static_assert(sizeof(apus_q3_g128_tile) == 16 * sizeof(apus_q3_g128_block), "no byte added");

/// Bit 4 s + e to bit s of byte e: from each nibble one bit, four times.
static inline uint32_t step_bits(uint32_t bits) {
    uint32_t result = 0;
    for (int e = 0; e < 4; e++) {
        uint32_t y = (bits >> e) & 0x11111111;
        y = (y | y >> 3) & 0x03030303;
        y = (y | y >> 6) & 0x000f000f;
        y = (y | y >> 12) & 0xff;
        result |= y << (8 * e);
    }
    return result;
}

static inline uint32_t step_bits_inverse(uint32_t bits) {
    uint32_t result = 0;
    for (int e = 0; e < 4; e++) {
        uint32_t y = (bits >> (8 * e)) & 0xff;
        y = (y | y << 12) & 0x000f000f;
        y = (y | y << 6) & 0x03030303;
        y = (y | y << 3) & 0x11111111;
        result |= y << e;
    }
    return result;
}

static inline uint32_t encode(uint32_t word, int coding) {
    if (coding == APUS_CODING_OFFSET_128) { return word ^ 0x80808080; }
    return coding == APUS_CODING_STEP_BITS ? step_bits(word) : word;
}

static inline uint32_t decode(uint32_t word, int coding) {
    if (coding == APUS_CODING_OFFSET_128) { return word ^ 0x80808080; }
    return coding == APUS_CODING_STEP_BITS ? step_bits_inverse(word) : word;
}

static inline __attribute__((always_inline)) void pack_field(const apus_tile_field field, const uint8_t *source,
                                                             uint8_t *target, int64_t row) {
    source += field.source;
    target += field.target + row * field.width;
    for (int unit = 0; unit < field.count; unit++) {
        if (field.width == 2) {
            memcpy(target, source, 2);
        } else {
            uint32_t word;
            memcpy(&word, source + unit * 4, 4);
            word = encode(word, field.coding);
            memcpy(target + unit * 64, &word, 4);
        }
    }
}

int64_t apus_tile_bytes(const apus_tile_layout *layout, int64_t inputs) {
    int64_t blocks = inputs / layout->block_length;
    return apus_body_offset(layout->scales, layout->body_bytes, blocks - 1) + layout->body_bytes;
}

/// Bytes of a row's scale that stands in front.
static inline size_t scale_width(apus_scale_place scales) {
    return scales == APUS_SCALES_INSIDE ? 0 : scales == APUS_SCALES_BEFORE_PAIR ? 2 : 4;
}

static inline __attribute__((always_inline)) void pack(const apus_tile_layout *layout, const void *source,
                                                       int64_t stride, int64_t rows, int64_t inputs, void *tile) {
    int64_t blocks = inputs / layout->block_length;
    size_t width = scale_width(layout->scales);
    if (rows < APUS_TILE_ROWS || (blocks % 2 != 0 && layout->scales == APUS_SCALES_BEFORE_PAIR)) {
        memset(tile, 0, (size_t)apus_tile_bytes(layout, inputs));
    }
    for (int64_t block = 0; block < blocks; block++) {
        uint8_t *body = (uint8_t *)tile + apus_body_offset(layout->scales, layout->body_bytes, block);
        uint8_t *scales = (uint8_t *)tile + apus_scale_offset(layout->scales, layout->body_bytes, block);
        for (int64_t row = 0; row < rows; row++) {
            const uint8_t *from = (const uint8_t *)source + row * stride + block * layout->block_bytes;
            if (layout->scales == APUS_SCALES_BEFORE_PAIR || block == 0) {
                memcpy(scales + (size_t)row * width, from + layout->scale_source, width);
            }
            for (int field = 0; field < layout->field_count; field++) {
                pack_field(layout->fields[field], from, body, row);
            }
        }
    }
}

void apus_tile_gather(const apus_tile_layout *layout, const uint8_t *tile, int64_t block, int64_t row,
                      uint8_t *output) {
    const uint8_t *body = tile + apus_body_offset(layout->scales, layout->body_bytes, block);
    const uint8_t *scales = tile + apus_scale_offset(layout->scales, layout->body_bytes, block);
    size_t width = scale_width(layout->scales);
    memcpy(output + layout->scale_source, scales + (size_t)row * width, width);
    for (int index = 0; index < layout->field_count; index++) {
        const apus_tile_field field = layout->fields[index];
        for (int unit = 0; unit < field.count; unit++) {
            const uint8_t *from = body + field.target + unit * 16 * field.width + row * field.width;
            uint8_t *to = output + field.source + unit * field.width;
            uint32_t word = 0;
            memcpy(&word, from, field.width);
            word = decode(word, field.coding);
            memcpy(to, &word, field.width);
        }
    }
}

static inline void unpack_row(const apus_tile_layout *layout, const void *tile, int64_t row, int64_t inputs,
                              float *output) {
    const apus_codec *codec = apus_codec_for_type(layout->type);
    uint8_t file_block[sizeof(apus_q6_k_block)];
    for (int64_t block = 0; block < inputs / layout->block_length; block++) {
        apus_tile_gather(layout, tile, block, row, file_block);
        codec->decode(file_block, output + block * layout->block_length, layout->block_length);
    }
}

// The layout is a constant in each of these, so its loops unroll.
#define FORMAT_FUNCTIONS(name)                                                                                         \
    static int64_t tile_bytes_##name(int64_t inputs) { return apus_tile_bytes(&name, inputs); }                             \
    static void pack_##name(const void *source, int64_t stride, int64_t rows, int64_t inputs, void *tile) {            \
        pack(&name, source, stride, rows, inputs, tile);                                                               \
    }                                                                                                                  \
    static void unpack_row_##name(const void *tile, int64_t row, int64_t inputs, float *output) {                      \
        unpack_row(&name, tile, row, inputs, output);                                                                  \
    }

FORMAT_FUNCTIONS(q4_0)
FORMAT_FUNCTIONS(q4_1)
FORMAT_FUNCTIONS(q5_0)
FORMAT_FUNCTIONS(q5_1)
FORMAT_FUNCTIONS(q8_0)
FORMAT_FUNCTIONS(q2_k)
FORMAT_FUNCTIONS(q3_k)
FORMAT_FUNCTIONS(q4_k)
FORMAT_FUNCTIONS(q5_k)
FORMAT_FUNCTIONS(q6_k)
FORMAT_FUNCTIONS(iq4_nl)
FORMAT_FUNCTIONS(iq4_xs)
FORMAT_FUNCTIONS(q3_g64)
FORMAT_FUNCTIONS(q3_g128)
FORMAT_FUNCTIONS(i4_row)

typedef struct tile_format {
    const apus_tile_layout *layout;
    int64_t (*tile_bytes)(int64_t inputs);
    void (*pack)(const void *source, int64_t stride, int64_t rows, int64_t inputs, void *tile);
    void (*unpack_row)(const void *tile, int64_t row, int64_t inputs, float *output);
} tile_format;

#define TILE_FORMAT(name) { &name, tile_bytes_##name, pack_##name, unpack_row_##name }

static const tile_format formats[] = {
    TILE_FORMAT(q4_0), TILE_FORMAT(q4_1), TILE_FORMAT(q5_0), TILE_FORMAT(q5_1), TILE_FORMAT(q8_0),   TILE_FORMAT(q2_k),
    TILE_FORMAT(q3_k), TILE_FORMAT(q4_k), TILE_FORMAT(q5_k), TILE_FORMAT(q6_k), TILE_FORMAT(iq4_nl), TILE_FORMAT(iq4_xs),
    TILE_FORMAT(q3_g64), TILE_FORMAT(q3_g128), TILE_FORMAT(i4_row),
};

static const tile_format *format_for_type(int32_t type) {
    const tile_format *format = formats;
    while (format->layout->type != type) { format++; }
    return format;
}

const apus_tile_layout *apus_tile_layout_for_type(int32_t type) {
    return format_for_type(type)->layout;
}

void apus_fill_quantized_format(apus_format *format, int32_t type) {
    const tile_format *entry = format_for_type(type);
    format->type = type;
    format->tile_rows = APUS_TILE_ROWS;
    format->activation = APUS_ACTIVATION_Q8;
    format->tile_bytes = entry->tile_bytes;
    format->pack = entry->pack;
    format->unpack_row = entry->unpack_row;
}

int64_t apus_panel_rows(apus_activation activation, int64_t rows) {
    return activation == APUS_ACTIVATION_Q8 && rows <= APUS_RUN_ROWS ? APUS_SMALL_PANEL_ROWS : APUS_PANEL_ROWS;
}

int64_t apus_panel_offset(apus_activation activation, int64_t row, int64_t inputs) {
    return activation == APUS_ACTIVATION_Q8 ? row * (inputs / APUS_GROUP) * APUS_PANEL_ROW_BYTES
                                            : row * inputs * (int64_t)sizeof(float);
}

int64_t apus_activation_bytes(apus_activation activation, int64_t rows, int64_t inputs) {
    return (apus_panel_offset(activation, rows, inputs) + 63) / 64 * 64;
}
