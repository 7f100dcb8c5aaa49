// A program's own definitions of malloc and its kin take the place of the C library's in every shared library, too;
// glibc keeps the originals under other names.
#include "apus_allocation_counter.h"

#include <errno.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define APUS_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(APUS_SANITIZED)

static _Thread_local int64_t count;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

void *malloc(size_t size) {
    count += 1;
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count += 1;
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    count += 1;
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    count += 1;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count += 1;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    count += 1;
    void *found = __libc_memalign(alignment, size);
    if (found == NULL) return ENOMEM;
    *memory = found;
    return 0;
}

void free(void *memory) {
    __libc_free(memory);
}

int64_t apus_allocation_count(void) {
    return count;
}

int32_t apus_allocation_counter_works(void) {
    return 1;
}

#else

int64_t apus_allocation_count(void) {
    return 0;
}

int32_t apus_allocation_counter_works(void) {
    return 0;
}

#endif
