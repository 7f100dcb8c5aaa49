"""ik_llama.cpp's speed through ik-llama-cpp-python: ik.py MODEL THREADS prints one JSON line.

PROMPT and GENERATE are the counts of tokens.
"""
import json
import os
import sys
import time

PROMPT, GENERATE, CHUNK = int(os.environ.get("PROMPT", 512)), int(os.environ.get("GENERATE", 128)), 512


def main():
    output = os.dup(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    errors = os.dup(2)
    os.dup2(sink, 1)
    os.dup2(sink, 2)  # the library logs to both
    try:
        rates = measure(sys.argv[1], int(sys.argv[2]))
    finally:
        os.dup2(errors, 2)
    os.write(output, (json.dumps(rates) + "\n").encode())


def measure(path, threads):
    from ik_llama_cpp import _ctypes_api as api
    from ik_llama_cpp._internals import IkContext, IkModel, make_batch_range, make_batch_single

    model = IkModel(path, use_mmap=True, use_mlock=False, n_gpu_layers=0)
    context = IkContext(model, n_ctx=PROMPT + GENERATE + 64, n_threads=threads, flash_attn=True)

    def step(batch):
        status = context.decode(batch)
        api.llama_batch_free(batch)
        if status:
            raise RuntimeError(f"decode: {status}")

    for _ in range(2 if PROMPT <= 4096 else 1):  # the first warms up
        context.kv_cache_clear()
        start = time.perf_counter()
        tokens = [100 + 7 * i % 1000 for i in range(PROMPT)]
        for first in range(0, PROMPT, CHUNK):
            step(make_batch_range(tokens[first : first + CHUNK], pos_start=first, logits_last=first + CHUNK >= PROMPT))
        middle = time.perf_counter()
        for i in range(GENERATE):
            step(make_batch_single(100 + i, PROMPT + i))
        rates = {"prefill": PROMPT / (middle - start), "decode": GENERATE / (time.perf_counter() - middle)}
    return rates


main()
