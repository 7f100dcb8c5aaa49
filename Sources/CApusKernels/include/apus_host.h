// Two things about the host that Swift cannot ask for itself.
#pragma once

#include <stdint.h>

/// Cores in this process's affinity mask, at least 1.
int32_t apus_affinity_count(void);

/// One polite spin of a waiting thread.
static inline void apus_spin_hint(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}
