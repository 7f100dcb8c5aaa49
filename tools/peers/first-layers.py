"""The first layers of a model as a file of their own: first-layers.py SOURCE.gguf TARGET.gguf LAYERS CONTEXT

Few layers and a small output matrix leave attention most of the time at long contexts, which the file then allows. Its text means
nothing. Needs the gguf package.
"""
import re
import sys

import gguf


def main():
    source, target, layers, context = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    changes = {f"{architecture}.block_count": layers, f"{architecture}.context_length": context}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, changes.get(name, field.contents()), field.types[0], inner)
    for tensor in reader.tensors:
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if layer is None or int(layer[1]) < layers:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
