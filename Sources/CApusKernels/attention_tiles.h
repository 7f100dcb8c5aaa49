// How a vector tier works through a unit: query rows in panels, a block at a time. Shared by the tiers; no intrinsics.
//
// A panel is as many rows as keep all accumulators of rows x vectors in registers.
#pragma once

#include "attention_blocks.h"

#define PANEL_ROWS 12
#define UNROLL _Pragma("clang loop unroll(full)")

/// (M, L, O) of all rows of a unit.
typedef struct tile_state {
    float *max, *sum;  ///< room for 16 past the last row
    float *out;        ///< rows x padded
} tile_state;

/// One panel over one block: weights and what merging needs.
typedef struct panel {
    _Alignas(64) float weights[PANEL_ROWS][APUS_KV_BLOCK];
    _Alignas(64) float max[16], sum[16], alpha[16], beta[16];
    apus_key_range ranges[PANEL_ROWS];
    int32_t rows;
    int32_t uniform;  ///< 1: all rows see keys [ranges[0].begin, ranges[0].end), at least one
} panel;

/// Rows in the panel that starts at `row`, `most` at most: all panels of a unit about equally large.
APUS_INLINE int64_t panel_rows(int64_t row, int64_t rows, int64_t most) {
    int64_t left = rows - row, panels = (left + most - 1) / most;
    return (left + panels - 1) / panels;
}

/// Sets up a panel of rows at these positions; 0 if no row sees a key of the block.
APUS_INLINE int open_panel(panel *p, const int32_t *positions, int64_t rows, int64_t window, int64_t block) {
    int any = 0, uniform = 1;
    for (int64_t r = 0; r < rows; r++) {
        apus_key_range range = apus_visible_keys(positions[r], window, block);
        p->ranges[r] = range;
        any |= range.end > range.begin;
        uniform &= range.begin == p->ranges[0].begin && range.end == p->ranges[0].end;
    }
    p->rows = (int32_t)rows;
    p->uniform = uniform;
    return any;
}

APUS_INLINE uint64_t range_mask(apus_key_range range) {
    uint64_t below_end = range.end == 64 ? ~UINT64_C(0) : (UINT64_C(1) << range.end) - 1;
    uint64_t from_begin = range.begin == 64 ? 0 : ~UINT64_C(0) << range.begin;
    return below_end & from_begin;
}

/// What a unit works with, carved from the thread's scratch.
typedef struct tile {
    tile_state all, span;
    int32_t *positions;
    float *query;  ///< rows x dimension, times the scale
    char *rest;    ///< what is left of the scratch, 64-byte aligned
} tile;

APUS_INLINE tile carve_tile(void *scratch, int64_t padded) {
    float *floats = scratch;
    int64_t rows = APUS_TILE_ROWS + 16, matrix = APUS_TILE_ROWS * padded;
    tile t;
    t.all = (tile_state){floats, floats + rows, floats + 4 * rows};
    t.span = (tile_state){floats + 2 * rows, floats + 3 * rows, t.all.out + matrix};
    t.query = t.span.out + matrix;
    t.positions = (int32_t *)(t.query + matrix);
    t.rest = (char *)(t.positions + rows);
    return t;
}

APUS_INLINE void load_rows(const apus_attention_args *args, const apus_attend_unit *unit, tile t) {
    for (int64_t row = 0; row < unit->rows; row++) {
        const float *input = apus_unit_query(args, unit, row);
        float *query = t.query + row * args->head_dimension;
        for (int64_t d = 0; d < args->head_dimension; d++) query[d] = input[d] * args->scale;
        t.positions[row] = (int32_t)apus_unit_position(unit, row);
    }
}

/// Leaves a finished span as partials.
APUS_INLINE void store_partials(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    int64_t padded = apus_padded(args->head_dimension);
    for (int64_t row = 0; row < unit->rows; row++) {
        float *slot = apus_unit_slot(args, unit, row, span);
        memcpy(slot, t.span.out + row * padded, (size_t)padded * sizeof(float));
        slot[padded] = t.span.max[row];
        slot[padded + 1] = t.span.sum[row];
    }
}
