#!/usr/bin/env bash
# Builds check_elementwise and check_attention with clang alone: build-attention.sh FOLDER [CLANG OPTIONS].
# For NEON under qemu-user: build-attention.sh FOLDER --target=aarch64-linux-gnu -static, then qemu-aarch64 on each.
set -euo pipefail
folder=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
kernels=$root/Sources/CApusKernels
flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE "-I$kernels" "-I$kernels/include" "$@")
mkdir -p "$folder"
objects=()
shopt -s nullglob
for source in "$kernels"/{scalar,x86,arm}/{elementwise,attention,probe}*.c; do
    object=$folder/$(basename "$(dirname "$source")")-$(basename "$source" .c).o
    # Only what changed: the source or any header.
    newer=$(find "$kernels" \( -name '*.h' -o -path "$source" \) -newer "$object" -print -quit 2>/dev/null) || newer=all
    if [[ -n $newer ]]; then
        ${CC:-clang} "${flags[@]}" -c "$source" -o "$object"
    fi
    objects+=("$object")
done
for program in check_elementwise check_attention; do
    ${CC:-clang} "${flags[@]}" "$root/tools/kernels/$program.c" "${objects[@]}" -lm -lpthread -o "$folder/$program"
done
