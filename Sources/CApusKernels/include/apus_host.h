// What Swift cannot ask of the host itself.
#pragma once

#include <stdint.h>

/// Cores in this process's affinity mask, at least 1.
int32_t apus_affinity_count(void);

/// Asks for the longest time slices for the calling thread. Its share of a core stays the same, but threads that wake up
/// for a moment, to bring tokens to clients, needn't wait until its slice ends. Linux 6.12 and later; elsewhere and where
/// a sandbox forbids it nothing changes.
void apus_ask_for_long_slices(void);

/// One polite spin of a waiting thread.
static inline void apus_spin_hint(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}
