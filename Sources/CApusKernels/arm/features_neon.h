// What a CPU with NEON may have besides.
#pragma once

#if defined(__linux__)
#include <sys/auxv.h>
#endif

/// Whether the CPU has the dot product instructions.
static inline int apus_has_dot_products(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) >> 20) & 1;  // HWCAP_ASIMDDP
#else
    return 1;  // every Apple silicon CPU
#endif
}
