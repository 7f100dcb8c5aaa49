"""llama.cpp's speed through llama-cpp-python's C interface: llama.py MODEL THREADS prints one JSON line.

PROMPT and GENERATE are the counts of tokens; FLASH is 1 for flash attention, 0 for none, else llama.cpp's choice; EXTRA=0 leaves
out its extra buffer types: where its AMX kernels end the process.
"""
import ctypes
import json
import os
import sys
import time

import llama_cpp as api

PROMPT, GENERATE, FLASH, EXTRA = (int(os.environ.get(name, value)) for name, value in
                                  [("PROMPT", 512), ("GENERATE", 128), ("FLASH", -1), ("EXTRA", 1)])


def main():
    model_path, threads = sys.argv[1], int(sys.argv[2])
    silent = api.llama_log_callback(lambda level, text, data: None)
    api.llama_log_set(silent, ctypes.c_void_p(0))
    api.llama_backend_init()
    model_options = api.llama_model_default_params()
    model_options.n_gpu_layers = 0
    model_options.use_extra_bufts = bool(EXTRA)
    model = api.llama_model_load_from_file(model_path.encode(), model_options)
    options = api.llama_context_default_params()
    options.n_ctx = PROMPT + GENERATE + 64
    options.n_batch = PROMPT
    options.n_ubatch = 512
    options.flash_attn_type = FLASH
    options.n_threads = options.n_threads_batch = threads
    context = api.llama_init_from_model(model, options)

    def step(tokens):
        array = (api.llama_token * len(tokens))(*tokens)
        if api.llama_decode(context, api.llama_batch_get_one(array, len(tokens))):
            sys.exit("llama_decode failed")

    rates = []
    for _ in range(2 if PROMPT <= 4096 else 1):  # the first warms up
        api.llama_memory_clear(api.llama_get_memory(context), True)
        start = time.perf_counter()
        step([100 + 7 * i % 1000 for i in range(PROMPT)])
        middle = time.perf_counter()
        for i in range(GENERATE):
            step([100 + i])
        rates.append({"prefill": PROMPT / (middle - start), "decode": GENERATE / (time.perf_counter() - middle)})
    print(json.dumps(rates[-1]))


main()
