#!/bin/sh
# Builds the kernel check program of the linear layers with clang alone: tools/kernels/build-linear.sh OUTPUT [CLANG OPTIONS].
# For NEON under qemu-user: build-linear.sh OUT --target=aarch64-linux-gnu -static, then qemu-aarch64 OUT check.
set -eu
output=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
exec ${CC:-clang} -O2 -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root/Sources/CApusKernels/include" "$@" \
    $(find "$root/Sources/CApusKernels" -name '*.c') "$root"/tools/kernels/linear_*.c -lm -lpthread -o "$output"
