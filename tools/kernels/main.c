// The C kernels by themselves. Without a command word it prints one hash for each kernel over fixed inputs and one of all:
// docs/numbers.md promises the same lines from every tier of every CPU.
//
//   kernels-hash [TIER]               the hashes, of the fastest tier by default
//   kernels-hash check FIXTURES       every tier of this CPU against scalar by bits; codecs against Fixtures/codecs
//   kernels-hash bench [TIER [KV]]    elementwise operations, attention (products: `apus bench`); with `baselines` for KV,
//                                     attention beside standard attention and one level of tiles
//   kernels-hash bench linear [TIER [SHAPE]]   linear layers of 1 to 128 rows, of the fastest tier by default

#include <stdlib.h>
#include <string.h>

#include "kernels.h"

static uint64_t total = HASH_START;

void print_hash(const char *kind, const char *name, uint64_t hash) {
    printf("%-11s %-11s %016llx\n", kind, name, (unsigned long long)hash);
    total = (total ^ hash) * 0x100000001b3;
}

static int check(const char *fixtures) {
    check_codecs(fixtures);
    check_linear();
    check_linear_float();
    check_elementwise();
    check_attention();
    printf(failures ? "%d checks failed\n" : "all tiers give scalar's bits\n", failures);
    return failures != 0;
}

static void hash(const apus_kernels *table) {
    hash_codecs();
    hash_linear(table);
    hash_elementwise(&table->elementwise);
    hash_attention(&table->attention);
    print_hash("total", "", total);
}

/// `words` end with NULL.
static int bench(char **words) {
    bool of_linear = words[0] && strcmp(words[0], "linear") == 0;
    words += of_linear;
    const char *tier = words[0] ? words[0] : "", *only = words[0] && words[1] ? words[1] : "";
    if (of_linear) {
        bench_linear(tier, only);
    } else {
        bench_elementwise();
        bench_attention(tier, only);
    }
    return 0;
}

int main(int count, char **arguments) {
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "check") == 0) { return check(count > 2 ? arguments[2] : "Fixtures/codecs"); }
    if (strcmp(command, "bench") == 0) { return bench(arguments + 2); }
    hash(apus_kernels_for_tier(count > 1 ? tier_named(command) : apus_best_tier()));
    return 0;
}
