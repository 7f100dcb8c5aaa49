// What the AMX files share.
#pragma once

#include <stdint.h>

/// The memory operand of _tile_loadconfig, palette 1.
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;
