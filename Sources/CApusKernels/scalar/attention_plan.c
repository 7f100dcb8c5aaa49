// How attention is cut into units. A plan depends on shapes alone, never on threads.
#include "../attention_blocks.h"

/// Up to this many (row, head) pairs a step's long contexts are split into spans; above it row tiles are units enough.
#define SPLIT_LIMIT 512
/// Slots of a step at most: the room for partials does not grow with the context. A slice that would need more stays
/// whole: of one row of 32 heads those beyond 262,144 positions.
#define SLOT_LIMIT 32768
/// Enough units for 32 threads to balance; more would widen the same keys and queries more often.
#define UNITS_WANTED 64
#define TILE_ROWS_LEAST 24

int64_t apus_kv_block_bytes(apus_kv_type type, int64_t kv_heads, int64_t head_dimension) {
    return kv_heads * apus_head_bytes(type, head_dimension);
}

int64_t apus_kv_page_bytes(int64_t kv_heads, int64_t head_dimension) {
    return kv_heads * apus_page_head_bytes(head_dimension);
}

int64_t apus_attention_partial_bytes(int64_t rows, int64_t positions, int64_t query_heads, int64_t head_dimension) {
    int64_t pairs = rows * query_heads, spans = (positions + APUS_KV_SPAN - 1) / APUS_KV_SPAN;
    if (pairs > SPLIT_LIMIT) pairs = SPLIT_LIMIT > query_heads ? SPLIT_LIMIT : query_heads;
    int64_t slots = pairs * spans < SLOT_LIMIT ? pairs * spans : SLOT_LIMIT;
    return apus_plan_bytes(rows) + slots * apus_slot_floats(head_dimension) * (int64_t)sizeof(float);
}

static int64_t unit_count(const apus_attention_args *args, int64_t tile_rows) {
    int64_t group = args->query_heads / args->kv_heads, units = 0;
    for (int64_t i = 0; i < args->slice_count; i++) {
        units += args->kv_heads * ((args->slices[i].rows * group + tile_rows - 1) / tile_rows);
    }
    return units;
}

/// Which spans a slice's rows see, and whether it is split into them; returns the slots that takes. A slice without
/// rows is one span of no units: the last layer of a prompt's chunk that isn't its last attends for none.
static int64_t plan_slice(const apus_attention_args *args, const apus_attention_slice *slice, int64_t free_slots,
                          int64_t whole_rows, apus_slice_plan *own) {
    int64_t group = args->query_heads / args->kv_heads;
    int64_t first = args->window > 0 && slice->position >= args->window ? slice->position - args->window + 1 : 0;
    own->first_span = (int32_t)(first / APUS_KV_SPAN);
    int64_t last = slice->rows > 0 ? slice->position + slice->rows - 1 : first;
    own->spans = (int32_t)(last / APUS_KV_SPAN) + 1 - own->first_span;
    int64_t slots = slice->rows * args->query_heads * own->spans;
    own->splits = own->spans > 1 && slots <= free_slots;
    own->tile_rows = (int32_t)(own->splits ? APUS_TILE_ROWS : whole_rows);
    own->tiles = (int32_t)((slice->rows * group + own->tile_rows - 1) / own->tile_rows);
    return own->splits ? slots : 0;
}

int64_t apus_attend_units(const apus_attention_args *args) {
    apus_attention_plan *plan = args->partials;
    int64_t rows = 0, whole_rows = APUS_TILE_ROWS, partials = 0, spans = 0, units = 0, merge_units = 0;
    for (int64_t i = 0; i < args->slice_count; i++) rows += args->slices[i].rows;
    int64_t slots = rows == 1 || rows * args->query_heads <= SPLIT_LIMIT ? SLOT_LIMIT : 0;
    while (whole_rows > TILE_ROWS_LEAST && unit_count(args, whole_rows) < UNITS_WANTED) whole_rows /= 2;
    for (int64_t i = 0; i < args->slice_count; i++) {
        apus_slice_plan *own = &plan->slices[i];
        own->first_partial = partials;
        partials += plan_slice(args, &args->slices[i], slots - partials, whole_rows, own);
        if (own->splits) spans += args->kv_heads * own->tiles * own->spans;
    }
    for (int64_t i = 0; i < args->slice_count; i++) {
        apus_slice_plan *own = &plan->slices[i];
        own->first_unit = units;
        own->first_merge_unit = merge_units;
        own->unit_spans = own->splits ? (int32_t)((spans + UNITS_WANTED - 1) / UNITS_WANTED) : own->spans;
        own->parts = (own->spans + own->unit_spans - 1) / own->unit_spans;
        units += args->kv_heads * own->tiles * own->parts;
        if (own->splits) merge_units += args->slices[i].rows * args->query_heads;
    }
    plan->units = units;
    plan->merge_units = merge_units;
    return units;
}

int64_t apus_merge_units(const apus_attention_args *args) {
    return ((const apus_attention_plan *)args->partials)->merge_units;
}

apus_attend_unit apus_attend_unit_at(const apus_attention_args *args, int64_t unit) {
    const apus_slice_plan *plans = ((const apus_attention_plan *)args->partials)->slices;
    int64_t low = 0, high = args->slice_count;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (plans[middle].first_unit <= unit) low = middle; else high = middle;
    }
    const apus_slice_plan *plan = &plans[low];
    int64_t group = args->query_heads / args->kv_heads, parts = plan->parts;
    int64_t index = unit - plan->first_unit;
    // The last rows see the most keys: they come first, so that threads end with small units.
    int64_t part = index % parts, tile = plan->tiles - 1 - index / parts % plan->tiles;
    int64_t first_row = tile * plan->tile_rows, rows = args->slices[low].rows * group - first_row;
    int64_t first = part * plan->unit_spans, spans = plan->spans - first;
    return (apus_attend_unit){
        .slice = &args->slices[low],
        .plan = plan,
        .kv_head = index / parts / plan->tiles,
        .group = group,
        .first_row = first_row,
        .rows = rows < plan->tile_rows ? rows : plan->tile_rows,
        .first_span = plan->first_span + first,
        .end_span = plan->first_span + first + (spans < plan->unit_spans ? spans : plan->unit_spans),
    };
}

apus_merge_unit apus_merge_unit_at(const apus_attention_args *args, int64_t unit) {
    const apus_slice_plan *plans = ((const apus_attention_plan *)args->partials)->slices;
    int64_t low = 0, high = args->slice_count;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (plans[middle].first_merge_unit <= unit) low = middle; else high = middle;
    }
    int64_t index = unit - plans[low].first_merge_unit;
    return (apus_merge_unit){
        .slice = &args->slices[low],
        .plan = &plans[low],
        .row = index / args->query_heads,
        .head = index % args->query_heads,
    };
}
