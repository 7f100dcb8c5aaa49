// The kernel table: every numeric operation Apus runs, as pointers chosen once at start.
//
// docs/numbers.md defines what each computes, bit for bit; the scalar tier is that text in C. A tier fills in the
// entries it has, over the tier below it, so a caller never asks which CPU it runs on.
//
// Conventions of all kernels:
// - They never allocate, lock, log or fail; the caller has checked shapes, alignment and bounds.
// - A *range* kernel works on units [begin, end) of an operation described by `args`; units are independent, so any
//   split over threads gives the same bits. `scratch` is the calling thread's own, APUS_SCRATCH_BYTES long, 64-byte
//   aligned, its content undefined.
#pragma once

#include <stdint.h>

#include "apus_attention.h"
#include "apus_codecs.h"
#include "apus_elementwise.h"
#include "apus_host.h"
#include "apus_linear.h"
#include "apus_probe.h"

typedef enum apus_tier {
    APUS_TIER_SCALAR = 0,
    APUS_TIER_AVX2 = 1,
    APUS_TIER_AVX512 = 2,
    APUS_TIER_AVX512VNNI = 3,
    APUS_TIER_NEON = 4,
} apus_tier;

typedef struct apus_kernels {
    apus_tier tier;
    apus_linear_kernels linear;
    apus_elementwise_kernels elementwise;
    apus_attention_kernels attention;
} apus_kernels;

/// The table of `tier`, or NULL if this CPU cannot run it. Filled on first use; thread-safe.
const apus_kernels *_Nullable apus_kernels_for_tier(apus_tier tier);

/// The fastest tier this CPU can run.
apus_tier apus_best_tier(void);
