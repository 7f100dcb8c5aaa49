#include "apus_host.h"

#include <sched.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

int32_t apus_affinity_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

#if defined(__linux__) && defined(SYS_sched_getattr) && defined(SYS_sched_setattr)
/// The kernel's struct sched_attr in its first version (sched_setattr(2)). For ordinary threads `runtime` is the slice.
typedef struct thread_schedule {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} thread_schedule;

#define LONGEST_SLICE UINT64_C(100000000)  // nanoseconds

void apus_ask_for_long_slices(void) {
    thread_schedule schedule = {0};
    if (syscall(SYS_sched_getattr, 0, &schedule, sizeof schedule, 0) != 0) { return; }
    if (schedule.policy != SCHED_OTHER) { return; }
    schedule.size = sizeof schedule;
    schedule.flags = 0;
    schedule.runtime = LONGEST_SLICE;
    syscall(SYS_sched_setattr, 0, &schedule, 0);
}
#else
void apus_ask_for_long_slices(void) {}
#endif
