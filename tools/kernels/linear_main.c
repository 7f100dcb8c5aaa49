// kernels check | hash [TIER] | bench [TIER [SECONDS]]

#include <stdlib.h>
#include <string.h>

#include "kernels.h"

static apus_tier tier_argument(int count, char **arguments) {
    if (count < 3) { return apus_best_tier(); }
    for (int tier = APUS_TIER_SCALAR; tier <= APUS_TIER_NEON; tier++) {
        if (strcmp(arguments[2], tier_name((apus_tier)tier)) == 0 && apus_kernels_for_tier((apus_tier)tier)) {
            return (apus_tier)tier;
        }
    }
    fprintf(stderr, "no tier %s on this CPU\n", arguments[2]);
    exit(2);
}

int main(int count, char **arguments) {
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "check") == 0) {
        int failures = check_linear();
        printf("%d failures\n", failures);
        return failures != 0;
    }
    if (strcmp(command, "hash") == 0) {
        hash_linear(tier_argument(count, arguments));
        return 0;
    }
    if (strcmp(command, "bench") == 0) {
        bench_linear(tier_argument(count, arguments), count > 3 ? atof(arguments[3]) : 0.3);
        return 0;
    }
    fputs("usage: kernels check | hash [TIER] | bench [TIER [SECONDS]]\n", stderr);
    return 2;
}
