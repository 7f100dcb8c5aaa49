// Peak 8-bit dots of the AMX tier: tile products alone, of full tiles, their sums left in the tile registers.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../probes.h"
#include "amx.h"

#pragma clang attribute push(__attribute__((target("amx-tile,amx-int8"))), apply_to = function)

int64_t apus_probe_dot_amx(int64_t iterations, int32_t *sink) {
    tile_shapes shapes = {.palette = 1};
    int8_t operand[16 * 64];
    int32_t sums[16 * 16];
    for (int tile = 0; tile < 8; tile++) {
        shapes.rows[tile] = 16;
        shapes.row_bytes[tile] = 64;
    }
    for (int i = 0; i < 16 * 64; i++) { operand[i] = (int8_t)(*sink + i); }
    _tile_loadconfig(&shapes);
    _tile_loadd(0, operand, 64);
    _tile_loadd(1, operand, 64);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int64_t i = 0; i < iterations; i++) {
        _tile_dpbssd(4, 0, 1);
        _tile_dpbssd(5, 0, 1);
        _tile_dpbssd(6, 0, 1);
        _tile_dpbssd(7, 0, 1);
    }
    _tile_stored(7, sums, 64);
    _tile_release();
    *sink = sums[0];
    return iterations * 4 * 16 * 16 * 64;
}

#pragma clang attribute pop
#endif
