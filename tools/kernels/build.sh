#!/usr/bin/env bash
# Builds the plain C check programs of the elementwise and attention kernels, without Swift: tools/kernels/build.sh OUT
# CC and CFLAGS may be set, for example to a cross compiler; FLAGS adds to the flags.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: build.sh OUT}
kernels=$root/Sources/CApusKernels
mkdir -p "$out"
flags="-std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -I$kernels -I$kernels/include ${FLAGS:-}"
objects=()
for source in "$kernels"/{scalar,x86,arm}/{elementwise,attention,probe}*.c; do
    [[ -e $source ]] || continue
    object=$out/$(basename "$(dirname "$source")")_$(basename "$source" .c).o
    # Recompiled when the source or any header is newer.
    if [[ ! -e $object || -n $(find "$source" "$kernels" \( -name '*.h' -o -path "$source" \) -newer "$object" -print -quit) ]]; then
        ${CC:-clang} $flags -c "$source" -o "$object"
    fi
    objects+=("$object")
done
for program in check_elementwise check_attention; do
    source=$root/tools/kernels/$program.c
    [[ -e $source ]] || continue
    ${CC:-clang} $flags "$source" "${objects[@]}" -lm -lpthread -o "$out/$program"
done
