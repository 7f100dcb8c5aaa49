"""llama.cpp's quantizer through llama-cpp-python's C interface: quantize.py SOURCE TARGET FILE_TYPE THREADS [IMATRIX].

FILE_TYPE is a number of `llama_ftype`. The importance matrix is read with llama.cpp's own GGUF reader and divided by its
counts, as its quantize program does; the C interface takes the result.
"""
import ctypes
import os
import sys

import llama_cpp as api
import numpy as np


class Options(ctypes.Structure):
    _fields_ = [("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p)]


def importance(path):
    library = ctypes.CDLL(os.path.join(os.path.dirname(api.__file__), "lib", "libggml-base.so"))
    for name, result, arguments in [
        ("gguf_init_from_file", ctypes.c_void_p, [ctypes.c_char_p, Options]),
        ("gguf_get_n_tensors", ctypes.c_int64, [ctypes.c_void_p]),
        ("gguf_get_tensor_name", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int64]),
        ("gguf_get_tensor_offset", ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_int64]),
        ("gguf_get_tensor_size", ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_int64]),
        ("gguf_get_data_offset", ctypes.c_size_t, [ctypes.c_void_p]),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    file = library.gguf_init_from_file(path.encode(), Options(True, None))
    if not file:
        sys.exit(f"{path}: llama.cpp cannot read it")
    values = {}
    for index in range(library.gguf_get_n_tensors(file)):
        offset = library.gguf_get_data_offset(file) + library.gguf_get_tensor_offset(file, index)
        count = library.gguf_get_tensor_size(file, index) // 4
        name = library.gguf_get_tensor_name(file, index).decode()
        values[name] = np.fromfile(path, np.float32, count, offset=offset)
    suffix = ".in_sum2"
    return {name[:-len(suffix)]: sums / values[name[:-len(suffix)] + ".counts"]
            for name, sums in values.items() if name.endswith(suffix)}


def main():
    source, target, file_type, threads = sys.argv[1:5]
    silent = api.llama_log_callback(lambda level, text, data: None)
    api.llama_log_set(silent, ctypes.c_void_p(0))
    options = api.llama_model_quantize_default_params()
    options.ftype, options.nthread = int(file_type), int(threads)
    means = importance(sys.argv[5]) if len(sys.argv) > 5 else {}
    if means:
        entries = (api.llama_model_imatrix_data * (len(means) + 1))()  # the last one ends the list
        for entry, (name, values) in zip(entries, means.items()):
            entry.name, entry.size = name.encode(), values.size
            entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        options.imatrix = entries
    if api.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(options)):
        sys.exit(f"{source}: llama_model_quantize failed")


if __name__ == "__main__":
    main()
