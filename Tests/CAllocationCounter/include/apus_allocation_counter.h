// Counts what a thread allocates: malloc and its kin, interposed in the test program.
#pragma once

#include <stdint.h>

/// Allocations of the calling thread since it started; frees are not counted.
int64_t apus_allocation_count(void);

/// 1 if allocations are counted: on glibc, without a sanitizer, which interposes malloc itself.
int32_t apus_allocation_counter_works(void);
