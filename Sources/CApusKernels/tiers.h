// Who fills the kernel table: each family gives one function per tier it has. A tier's function overwrites the entries
// it speeds up and leaves the others as the tier below set them; select.c calls them from scalar upwards.
#pragma once

#include "apus_kernels.h"

void apus_linear_fill_scalar(apus_kernels *_Nonnull table);
void apus_linear_float_fill_scalar(apus_kernels *_Nonnull table);
void apus_elementwise_fill_scalar(apus_kernels *_Nonnull table);
void apus_attention_fill_scalar(apus_kernels *_Nonnull table);

#if defined(__x86_64__)
void apus_linear_fill_avx2(apus_kernels *_Nonnull table);
void apus_linear_float_fill_avx2(apus_kernels *_Nonnull table);
void apus_elementwise_fill_avx2(apus_kernels *_Nonnull table);
void apus_attention_fill_avx2(apus_kernels *_Nonnull table);

void apus_linear_fill_avx512(apus_kernels *_Nonnull table);
void apus_linear_float_fill_avx512(apus_kernels *_Nonnull table);
void apus_elementwise_fill_avx512(apus_kernels *_Nonnull table);
void apus_attention_fill_avx512(apus_kernels *_Nonnull table);

void apus_linear_fill_avx512vnni(apus_kernels *_Nonnull table);
void apus_attention_fill_avx512vnni(apus_kernels *_Nonnull table);
#elif defined(__aarch64__)
void apus_linear_fill_neon(apus_kernels *_Nonnull table);
void apus_linear_float_fill_neon(apus_kernels *_Nonnull table);
void apus_elementwise_fill_neon(apus_kernels *_Nonnull table);
void apus_attention_fill_neon(apus_kernels *_Nonnull table);
#endif

/// Where the format of a GGUF type number stands in apus_linear_kernels.formats; every filler goes through it.
/// Types ascend: F32 0, F16 1, Q4_0 2, Q4_1 3, Q5_0 6, Q5_1 7, Q8_0 8, Q2_K 10, Q3_K 11, Q4_K 12, Q5_K 13, Q6_K 14,
/// IQ4_NL 20, IQ4_XS 23, BF16 30, then our own from APUS_TYPE_Q3_G64 on.
static inline int apus_format_index(int32_t type) {
    static const int8_t index[31] = {
        0, 1, 2, 3, -1, -1, 4, 5, 6, -1, 7, 8, 9, 10, 11, -1, -1, -1, -1, -1, 12, -1, -1, 13, -1, -1, -1, -1, -1, -1, 14,
    };
    if (type >= APUS_TYPE_Q3_G64 && type <= APUS_TYPE_I4_ROW) { return 15 + type - APUS_TYPE_Q3_G64; }
    return type >= 0 && type < 31 ? index[type] : -1;
}
