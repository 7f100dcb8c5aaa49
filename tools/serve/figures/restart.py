"""Time to the first token of a 4,000-token prompt: cold, and after a restart with what --cache-dir has kept."""
import json
import random
import statistics
import tempfile
import time
import urllib.request

import servers

MODELS = "smollm2"
LENGTH = 4000


def ask(url, prompt):
    """Seconds until the answer's one token is there, its text and how many tokens were cached."""
    data = json.dumps({"prompt": prompt, "max_tokens": 1, "temperature": 0}).encode()
    request = urllib.request.Request(url + "/v1/completions", data, {"content-type": "application/json"})
    start = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        found = json.load(answer)
    seconds = time.perf_counter() - start
    return seconds, found["choices"][0]["text"], found["usage"]["prompt_tokens_details"]["cached_tokens"]


def measure(model, path, options):
    print(f"\n{path.split('/')[-1]}, {LENGTH} tokens\n\n| cold | after a restart | share | cached_tokens | rows computed |\n|--:|--:|--:|--:|--:|")
    for run in range(options.runs):
        rng = random.Random(run)
        prompt = [rng.randrange(1000, 40000) for _ in range(LENGTH)]
        warm = [rng.randrange(1000, 40000) for _ in range(64)]
        found = []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                with servers.Server(servers.apus(path, 4608, 1, "--cache-dir", folder)) as server:
                    ask(server.url, warm)
                    before = servers.metrics(server.url)["apus_step_rows_total"]
                    found.append(ask(server.url, prompt))
                    time.sleep(0.5)
                    rows = servers.metrics(server.url)["apus_step_rows_total"] - before
                    time.sleep(3)
        (cold, text, _), (restarted, same, cached) = found
        assert text == same, "another answer"
        print(f"| {cold:.2f} s | {restarted:.2f} s | {100 * restarted / cold:.1f} % | {cached} | {rows:.0f} |", flush=True)
