"""The gaps between 8 streams' tokens while a 6,000-token prompt runs, beside those before it came."""
import random
import statistics

import load
import servers

MODELS = "smollm2"
STREAMS, LENGTH = 8, 6000
QUIET = {"smollm2": 5, "1.5b": 10}  # seconds of the streams alone


def measure(model, path, options):
    print(f"\n{path.split('/')[-1]}\n\n| median gap without | 95 % beside the prompt | ratio | median beside | slowest beside | "
          "the prompt's first token | load's share of a core |\n|--:|--:|--:|--:|--:|--:|--:|")
    ratios = []
    for run in range(options.runs):
        rng = random.Random(run)
        # The streams outlast the prompt; they are broken off when it is done.
        plan = [load.line(lane, load.body(rng, path, 64, 4096), awaited=False) for lane in range(STREAMS)]
        arrival = QUIET.get(model, 5)
        plan.append(load.line(STREAMS, load.body(rng, path, LENGTH, 1), start=arrival))
        with servers.Server(servers.apus(path, 8192, STREAMS + 1, "--no-prefix-cache")) as server:
            result = servers.undisturbed(server, lambda: load.run(server.url, plan))
        requests, share = result["requests"], result["load_share_of_core"]
        streams, (long,) = requests[:STREAMS], requests[STREAMS:]
        if any(stream["done"] >= 0 for stream in streams):
            raise SystemExit("a stream ended before the long prompt did")
        without = load.gaps(streams, max(stream["times"][0] for stream in streams), long["sent"])
        beside = load.gaps(streams, long["sent"], long["times"][0])
        median, high = statistics.median(without), load.percentile(beside, 0.95)
        ratios.append(high / median)
        print(f"| {1e3 * median:.2f} ms | {1e3 * high:.2f} ms | {high / median:.2f} | {1e3 * statistics.median(beside):.2f} ms | "
              f"{1e3 * max(beside):.1f} ms | {long['times'][0] - long['sent']:.1f} s | {share:.3f} |", flush=True)
    print(f"\nMedian of the ratios: {statistics.median(ratios):.2f}", flush=True)
