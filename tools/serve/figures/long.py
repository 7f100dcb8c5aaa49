"""The gaps between 8 streams' tokens while a 6,000-token prompt runs, beside those of the same tokens without it.

Contexts grow while the prompt runs, and gaps with them: hence a second run of the same streams without the prompt, whose gaps
between the same tokens count. The median before the prompt came is printed too. Streams that hold characters of several
tokens are left out.
"""
import random
import statistics

import load
import servers

MODELS = "smollm2"
STREAMS, LENGTH = 8, 6000
QUIET = {"smollm2": 5, "1.5b": 10}  # seconds of the streams alone


def streams_for(path, run, outputs, awaited):
    """The plan of streams that generate so many tokens each; broken off with the load's end unless awaited."""
    rng = random.Random(run)
    return [load.line(lane, load.body(rng, path, 64, output), awaited=awaited) for lane, output in enumerate(outputs)]


def served(path, plan):
    with servers.Server(servers.apus(path, 8192, STREAMS + 1, "--no-prefix-cache")) as server:
        result = servers.undisturbed(server, lambda: load.run(server.url, plan))
    return result["requests"], result["load_share_of_core"]


def measure(model, path, options):
    print(f"\n{path.split('/')[-1]}\n\n| median gap before | of the same tokens without | 95 % beside the prompt | ratio to the same tokens | "
          "to before | slowest beside | tokens each stream got | the prompt's first token | load's share of a core |\n"
          "|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    ratios = []
    for run in range(options.runs):
        arrival = QUIET.get(model, 5)
        long = load.line(STREAMS, load.body(random.Random(run + 1000), path, LENGTH, 1), start=arrival)
        requests, share = served(path, [*streams_for(path, run, STREAMS * [4096], awaited=False), long])
        streams, (prompt,) = requests[:STREAMS], requests[STREAMS:]
        sent, first = prompt["sent"], prompt["times"][0]
        if any(0 <= stream["done"] < first for stream in streams):
            raise SystemExit("a stream ended before the long prompt did")
        # The tokens that came while the prompt ran, as ranges of each stream.
        ranges = [(sum(at < sent for at in stream["times"]), sum(at <= first for at in stream["times"])) for stream in streams]
        alone, _ = served(path, streams_for(path, run, [end for _, end in ranges], awaited=True))
        # A character of several tokens comes in one piece: the gap around it is none between tokens.
        whole = [index for index, stream in enumerate(alone) if len(stream["times"]) == stream["tokens"]]
        if len(whole) < STREAMS - 2:
            raise SystemExit("too many streams with characters of several tokens")
        streams = [streams[index] for index in whole]
        before = statistics.median(load.gaps(streams, max(stream["times"][0] for stream in streams), sent))
        beside = load.gaps(streams, sent, first)
        without = statistics.median(
            gap for index in whole for gap in load.gaps([{"times": alone[index]["times"][ranges[index][0]:]}]))
        high = load.percentile(beside, 0.95)
        ratios.append(high / without)
        count = statistics.median(end - start for start, end in ranges)
        print(f"| {1e3 * before:.2f} ms | {1e3 * without:.2f} ms | {1e3 * high:.2f} ms | {high / without:.2f} | {high / before:.2f} | "
              f"{1e3 * max(beside):.1f} ms | {count:.0f} | {first - sent:.1f} s | {share:.3f} |", flush=True)
    print(f"\nMedian of the ratios to the same tokens: {statistics.median(ratios):.2f}", flush=True)
