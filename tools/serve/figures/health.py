"""How soon /health answers, and how soon a request whose client left is gone, with 32 streams and three long prompts."""
import json
import random
import socket
import subprocess
import time
import urllib.parse

import load
import servers

MODELS = "smollm2"
STREAMS, PROMPTS, LENGTH, TRIALS = 32, 3, 6000, 10
ARRIVAL, SECONDS = 5, 6  # when the long prompts come, and how long is measured from then on: the first is done after some 10


def running(url):
    """How many requests are computed, and how many steps have been."""
    values = servers.metrics(url)
    return int(values["apus_engine_running"]), int(values["apus_steps_total"])


def steps_until_gone(url, path, rng):
    """Leaves a request that generates; how many steps end until it is counted no more, and the seconds that takes.

    The counts are posted at the end of a step, so two is the least where the step under way ends and the next one is
    computed without it.
    """
    address = urllib.parse.urlparse(url)
    data = json.dumps(load.body(rng, path, 64, 4096)).encode()
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        answer = b""
        while b'"text":"' not in answer:
            answer += connection.recv(65536)
        before, first = running(url)
    left = time.monotonic()
    while (now := running(url))[0] >= before:
        if time.monotonic() - left > 10:
            raise SystemExit("a cancelled request was still there after 10 seconds")
    return now[1] - first, time.monotonic() - left


def measure(model, path, options):
    rng = random.Random(3)
    plan = [load.line(lane, load.body(rng, path, 64, 8000)) for lane in range(STREAMS)]
    plan += [load.line(STREAMS + i, load.body(rng, path, LENGTH, 8), start=ARRIVAL) for i in range(PROMPTS)]
    with servers.Server(servers.apus(path, 8192, STREAMS + PROMPTS + 1, "--no-prefix-cache")) as server:
        address = urllib.parse.urlparse(server.url)
        process = load.start(server.url, plan)
        time.sleep(ARRIVAL + 1)
        command = [load.compiled("probe"), address.hostname, str(address.port), "/health", str(SECONDS)]
        health = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        count, _ = running(server.url)
        if count < STREAMS + PROMPTS or process.poll() is not None:
            raise SystemExit(f"expected {STREAMS + PROMPTS} requests under way to the end of the measurement, found {count}")
        gone = [steps_until_gone(server.url, path, rng) for _ in range(TRIALS)]
        process.terminate()
        process.wait()
    print(f"\n{path.split('/')[-1]}, {STREAMS} streams and {PROMPTS} prompts of {LENGTH} tokens\n\n| /health | median | 99 % | slowest "
          "| a request that its client left: steps until it is counted no more | seconds |\n|--:|--:|--:|--:|--:|--:|")
    steps, seconds = zip(*gone)
    print(f"| {health['count']} times, {health['failures']} failed | {health['median_ms']:.1f} ms | {health['p99_ms']:.1f} ms | "
          f"{health['slowest_ms']:.1f} ms | {min(steps)} to {max(steps)} | {min(seconds):.2f} to {max(seconds):.2f} |", flush=True)
