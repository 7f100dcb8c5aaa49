#!/bin/sh
# Builds the kernel check program with clang alone: tools/kernels/build.sh OUTPUT [CLANG OPTIONS].
# For NEON under qemu-user: build.sh OUT --target=aarch64-linux-gnu -static, then qemu-aarch64 OUT check.
set -eu
output=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
exec ${CC:-clang} -O2 -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root/Sources/CApusKernels/include" "$@" \
    $(find "$root/Sources/CApusKernels" "$root/tools/kernels" -name '*.c') -lm -lpthread -o "$output"
