#!/usr/bin/env python3
"""Load on a server that speaks OpenAI's completions: distinct prompts of random tokens, streamed, N at a time.

    tools/serve/load.py http://127.0.0.1:8080 --streams 1,4,8,16,32 --model FILE.gguf

Each of the N streams sends `--rounds` requests, one after the other: prompts of 64 to 512 tokens, exactly `--output` tokens
of answer (the model's end tokens are forbidden). Prints per N the generated tokens per second from the first request to
the last answer, the time to the first token, the gaps between tokens, and what share of a core the load took. The requests
are sent and timed by a native program, load.c, which is compiled when it is needed.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import urllib.parse

# Tokens that end an answer, and how many there are, by a part of the model file's name.
MODELS = {"smollm2": ([0, 2], 49152), "qwen2.5": ([151643, 151645, 151662, 151663, 151664], 151936)}
FOLDER = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.environ.get("APUS_PEERS", os.path.expanduser("~/.cache/apus-peers"))


def compiled(name):
    """The path of a native program of this folder, `load` or `probe`."""
    source, program = os.path.join(FOLDER, name + ".c"), os.path.join(PROGRAMS, name)
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        os.makedirs(PROGRAMS, exist_ok=True)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, source], check=True)
    return program


def facts(model):
    """The end tokens and the size of the vocabulary of a model, by its file's name."""
    name = os.path.basename(model).lower()
    return next((found for part, found in MODELS.items() if part in name), ([], 32000))


def body(rng, model, length, output, llama=False):
    """A request for exactly `output` tokens after `length` random ones; greedy, nothing cached."""
    ends, vocabulary = facts(model)
    # The peer's cheapest way to take the likeliest token, and its own way to forbid the ends.
    own = {"ignore_eos": True, "cache_prompt": False, "samplers": ["top_k"], "top_k": 1} if llama else {}
    return own | {
        "prompt": [rng.randrange(1000, vocabulary - 1000) for _ in range(length)],
        "max_tokens": output,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    } | ({} if llama else {"logit_bias": {str(token): -100 for token in ends}})


def line(lane, body, start=0.0, awaited=True):
    """A line of load.c's plan."""
    return f"{lane} {start:.6f} {int(awaited)} {json.dumps(body)}\n"


def start(url, plan):
    """Starts the load; `finish` waits for it."""
    address = urllib.parse.urlparse(url)
    file = tempfile.TemporaryFile("w+")
    file.writelines(plan)
    file.seek(0)
    return subprocess.Popen([compiled("load"), address.hostname, str(address.port)], stdin=file, stdout=subprocess.PIPE, text=True)


def finish(process):
    """The requests' timings, how long all took, and what share of a core the load took."""
    lines = [json.loads(text) for text in process.communicate()[0].splitlines()]
    if process.returncode or not lines:
        raise SystemExit("the load program failed; its output is above")
    for request in lines[:-1]:
        if request["status"] not in (0, 200) or (request["done"] >= 0 and request["status"] != 200):
            raise SystemExit(f"a request failed: {str(request)[:200]}")
    return lines[:-1], lines[-1]["seconds"], lines[-1]["cpu_seconds"] / lines[-1]["seconds"]


def run(url, plan):
    """A load from its start to its end."""
    requests, seconds, share = finish(start(url, plan))
    return {"requests": requests, "seconds": seconds, "load_share_of_core": share}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def gaps(requests, first=0.0, last=float("inf")):
    """The times between a request's tokens, in seconds, of those that came from `first` to `last`."""
    pairs = ((before, after) for request in requests for before, after in zip(request["times"], request["times"][1:]))
    return [after - before for before, after in pairs if first <= before and after <= last]


def measure(url, model, streams, rounds, output=128, llama=False, prompts=(64, 512)):
    """One run of `streams` streams of `rounds` requests each."""
    rng = random.Random(streams)
    plan = [
        line(stream, body(rng, model, rng.randint(*prompts), output, llama)) for _ in range(rounds) for stream in range(streams)
    ]
    result = run(url, plan)
    requests = result.pop("requests")
    wrong = [request["tokens"] for request in requests if request["tokens"] != output]
    cached = sum(max(request["cached_tokens"], 0) for request in requests)
    if wrong or cached:
        raise SystemExit(f"expected {output} tokens of every answer and none cached, found {wrong} and {cached} cached")
    between = gaps(requests)
    return {
        "streams": streams,
        "tokens_per_second": sum(request["tokens"] for request in requests) / result["seconds"],
        "first_token_ms": 1e3 * statistics.median(request["times"][0] - request["sent"] for request in requests),
        "gap_ms_median": 1e3 * statistics.median(between),
        "gap_ms_p95": 1e3 * percentile(between, 0.95),
        "decode_tokens_per_second": statistics.median(
            (request["tokens"] - 1) / (request["times"][-1] - request["times"][0]) for request in requests),
    } | result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--model", required=True, help="the model's file, of which the name is read")
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=int, default=128)
    parser.add_argument("--llama", action="store_true", help="the server is llama-server")
    options = parser.parse_args()
    for streams in map(int, options.streams.split(",")):
        result = measure(options.url, options.model, streams, options.rounds, options.output, options.llama)
        print(json.dumps({name: round(value, 3) for name, value in result.items()}), flush=True)


if __name__ == "__main__":
    main()
