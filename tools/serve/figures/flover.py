"""Flover's workload (arXiv 2305.13484): requests that arrive at random and end unevenly, batched in four ways.

Arrivals are a Poisson process, prompts 8 to 128 words, answers 8 to 248 tokens, all from one seed. `one process per request` is
`apus run` for each, two at once with a thread each, in the order of arrival: it loads the model anew each time.
"""
import concurrent.futures
import json
import random
import statistics
import subprocess
import time

import load
import servers

MODELS = "smollm2"
REQUESTS = 32
# Mean seconds between arrivals: several times faster than one request after the other can be answered.
INTERVAL = {"smollm2": 0.1, "1.5b": 1.0}
WORDS = "river stone apple window yellow train garden music silver doctor letter summer bridge candle forest market".split()


def workload(model):
    """Arrival times, prompts and answer lengths."""
    rng, at = random.Random(31), 0.0
    requests = []
    for _ in range(REQUESTS):
        at += rng.expovariate(1 / INTERVAL.get(model, 1.0))
        prompt = " ".join(rng.choice(WORDS) for _ in range(rng.randint(8, 128)))
        requests.append((at, prompt, rng.randint(8, 248)))
    return requests


def served(path, requests, batching):
    rng = random.Random(0)
    plan = []
    for lane, (at, prompt, output) in enumerate(requests):
        plan.append(load.line(lane, load.body(rng, path, 1, output) | {"prompt": prompt}, start=at))
    with servers.Server(servers.apus(path, 640, REQUESTS, "--no-prefix-cache", "--batching", batching)) as server:
        load.measure(server.url, path, 1, 1, output=16)
        done = servers.undisturbed(server, lambda: load.run(server.url, plan))["requests"]
    return [(r["tokens"], at, r["times"][0], r["done"]) for r, (at, _, _) in zip(done, requests)]


def processes(path, requests, _):
    began = time.monotonic()

    def run(request):
        at, prompt, output = request
        command = [servers.APUS, "run", path, "--raw", "--temperature", "0", "--max-tokens", str(output), "--threads", "1",
                   "--context", "640", "--json", prompt]
        result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        end = time.monotonic() - began
        decode = (len(result["tokens"]) - 1) / result["timings"]["decode_tps"] if len(result["tokens"]) > 1 else 0
        return len(result["tokens"]), at, end - decode, end

    with concurrent.futures.ThreadPoolExecutor(int(servers.THREADS)) as pool:
        started = []
        for request in requests:
            time.sleep(max(0, request[0] - (time.monotonic() - began)))
            started.append(pool.submit(run, request))
        return [future.result() for future in started]


def measure(model, path, options):
    requests = workload(model)
    ways = {
        "`--batching fused`": (served, "fused"),
        "`--batching static`": (served, "static"),
        "`--batching sequential`": (served, "sequential"),
        "one process per request": (processes, ""),
    }
    found = {name: [] for name in ways}
    for _ in range(options.runs):
        for name, (way, batching) in ways.items():
            done = way(path, requests, batching)
            latencies = [end - at for _, at, _, end in done]
            found[name].append((
                sum(tokens for tokens, *_ in done) / (max(end for *_, end in done) - requests[0][0]),
                statistics.mean(latencies), load.percentile(latencies, 0.95),
                statistics.mean(first - at for _, at, first, _ in done), sum(tokens for tokens, *_ in done)))
    print(f"\n{path.split('/')[-1]}, {REQUESTS} requests, one every {INTERVAL.get(model, 1.0)} s on average, medians of "
          f"{options.runs} runs\n\n| | tokens/s | ratio to fused | mean latency | 95 % | mean first token | tokens |\n"
          "|---|--:|--:|--:|--:|--:|--:|")
    middle = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in found.items()}
    best = next(iter(middle.values()))[0]
    for name, (rate, mean, high, first, tokens) in middle.items():
        print(f"| {name} | {rate:.0f} | {best / rate:.2f}x | {mean:.2f} s | {high:.2f} s | {first:.2f} s | {tokens:.0f} |", flush=True)
