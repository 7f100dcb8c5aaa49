"""Writes a model of random weights with a real vocabulary: what it says is noise, so only a grammar can give it form.

   random_model.py VOCABULARY.gguf MODEL.gguf
"""

import sys

import gguf
import numpy

WIDTH, LAYERS, HEADS, HIDDEN = 64, 2, 2, 128
# Answers end where a message does, and conversations are written the plain way of ChatML.
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main():
    source, target = sys.argv[1:]
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith("tokenizer.") and field.name != "tokenizer.chat_template":
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    writer.add_chat_template(TEMPLATE)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    size = len(reader.fields["tokenizer.ggml.tokens"].data)
    generator = numpy.random.default_rng(1)

    def tensor(name, *shape, scale=1.0):
        kind = numpy.float32 if len(shape) == 1 else numpy.float16
        values = generator.standard_normal(shape) if len(shape) == 2 else numpy.ones(shape)
        writer.add_tensor(name, (values * scale).astype(kind))

    tensor("token_embd.weight", size, WIDTH)
    tensor("output.weight", size, WIDTH, scale=0.25)
    tensor("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"]:
            tensor(f"blk.{layer}.{name}.weight", WIDTH, WIDTH, scale=WIDTH**-0.5)
        for name in ["ffn_gate", "ffn_up"]:
            tensor(f"blk.{layer}.{name}.weight", HIDDEN, WIDTH, scale=WIDTH**-0.5)
        tensor(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN, scale=HIDDEN**-0.5)
        for name in ["attn_norm", "ffn_norm"]:
            tensor(f"blk.{layer}.{name}.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
