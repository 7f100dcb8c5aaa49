"""llama.cpp's perplexity by its own protocol: perplexity.py MODEL TEXT CHUNKS [THREADS] prints one JSON line.

Chunks of 512 tokens of llama.cpp's own tokenizer, each beginning with BOS where the vocabulary wants it; the last 255
predictions of each are scored. Run by tools/quality too, which wants the logits themselves.
"""
import ctypes
import json
import math
import sys

import llama_cpp as api
import numpy as np

CONTEXT = 512
FIRST = CONTEXT // 2


class Model:
    def __init__(self, path, threads):
        self.silent = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self.silent, ctypes.c_void_p(0))
        api.llama_backend_init()
        options = api.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = api.llama_model_load_from_file(path.encode(), options)
        self.vocabulary = api.llama_model_get_vocab(self.model)
        self.size = api.llama_vocab_n_tokens(self.vocabulary)
        options = api.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = CONTEXT
        options.n_threads = options.n_threads_batch = threads
        self.context = api.llama_init_from_model(self.model, options)
        self.batch = api.llama_batch_init(CONTEXT, 0, 1)

    def chunks(self, text, count):
        ids = (api.llama_token * (len(text) + 8))()
        found = api.llama_tokenize(self.vocabulary, text, len(text), ids, len(ids), True, False)
        first = api.llama_vocab_bos(self.vocabulary) if api.llama_vocab_get_add_bos(self.vocabulary) else None
        for start in range(0, min(count, found // CONTEXT) * CONTEXT, CONTEXT):
            chunk = ids[start:start + CONTEXT]
            yield chunk if first is None else [first] + chunk[1:]

    def logits(self, chunk):
        """The scored rows of a chunk, one at a time."""
        api.llama_memory_clear(api.llama_get_memory(self.context), True)
        self.batch.n_tokens = CONTEXT
        for i, token in enumerate(chunk):
            self.batch.token[i], self.batch.pos[i] = token, i
            self.batch.n_seq_id[i], self.batch.seq_id[i][0], self.batch.logits[i] = 1, 0, i >= FIRST
        if api.llama_decode(self.context, self.batch):
            sys.exit("llama_decode failed")
        for i in range(FIRST, CONTEXT - 1):
            yield np.ctypeslib.as_array(api.llama_get_logits_ith(self.context, i), shape=(self.size,))


def main(model_path, text_path, count, threads="2"):
    model, surprise = Model(model_path, int(threads)), []
    with open(text_path, "rb") as file:
        text = file.read()
    for chunk in model.chunks(text, int(count)):
        for i, row in enumerate(model.logits(chunk), FIRST + 1):
            row = row.astype(np.float64) - row.max()
            surprise.append(math.log(np.exp(row).sum()) - row[chunk[i]])
    print(json.dumps({"perplexity": math.exp(np.mean(surprise)), "tokens": len(surprise)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
