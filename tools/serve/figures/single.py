"""One stream over HTTP beside `apus bench`: how fast tokens follow each other after a prompt of 512 tokens."""
import json
import statistics
import subprocess

import load
import servers

MODELS = "smollm2,1.5b"


def benchmark(path):
    """The rate at which `apus bench` decodes."""
    done = subprocess.run(
        [servers.APUS, "bench", path, "--threads", servers.THREADS, "--repeat", "3", "--no-kernels", "--json"],
        capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["decode_tps"]["median"]


def measure(model, path, options):
    rates, shares = {"bench": [], "http": []}, []
    for _ in range(options.runs):
        rates["bench"].append(benchmark(path))
        with servers.Server(servers.apus(path, 1024, 1, "--no-prefix-cache")) as server:
            run = servers.undisturbed(server, lambda: load.measure(server.url, path, 1, 4, prompts=(512, 512)))
        rates["http"].append(run["decode_tokens_per_second"])
        shares.append(run["load_share_of_core"])
    middle = {name: statistics.median(values) for name, values in rates.items()}
    print("\n| model | apus bench, decode tok/s | one stream over HTTP, tok/s | share | load's share of a core |\n|---|--:|--:|--:|--:|")
    cells = " | ".join(f"{middle[name]:.1f} ({min(values):.1f}-{max(values):.1f})" for name, values in rates.items())
    print(f"| {path.split('/')[-1]} | {cells} | {100 * middle['http'] / middle['bench']:.1f} % | {max(shares):.3f} |", flush=True)
