#if defined(__x86_64__)
#include "../tiers.h"
void apus_linear_float_fill_avx2(apus_kernels *table) { (void)table; }
#endif
