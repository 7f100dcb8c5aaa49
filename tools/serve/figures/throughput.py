"""Tokens a second at 1 to 32 streams, beside llama-server: the servers in turn, medians of the runs."""
import statistics

import load
import servers

MODELS = "smollm2,1.5b"
CONTEXT = 704  # 512 tokens of prompt, 128 of answer, and whole blocks
HEAD = """
{}, 2 threads, {} runs in turn, {}; in brackets the slowest and fastest run

| streams | apus tok/s | llama-server tok/s | ratio | first token: apus | llama-server | gap: apus | llama-server | of a core: load, all else |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


def commands(path, streams):
    """Each server as it is best: llama-server decides on flash attention itself, which was faster than without."""
    return {
        "apus": servers.apus(path, CONTEXT, streams, "--no-prefix-cache"),
        "llama": servers.llama(path, CONTEXT, streams, "--flash-attn", "on"),
    }


def spread(runs, key, unit=1):
    values = [run[key] / unit for run in runs]
    middle = statistics.median(values)
    digits = 0 if middle >= 100 else 1
    return f"{middle:.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def measure(model, path, options):
    # A request of the larger model takes seconds: one round there, two on the small one.
    rounds = 2 if model == "smollm2" else 1
    print(HEAD.format(path.split("/")[-1], options.runs, f"{rounds} requests a stream"), flush=True)
    for streams in map(int, options.streams.split(",")):
        found = {"apus": [], "llama": []}
        chosen = [options.only] if options.only else list(found)
        for _ in range(options.runs):
            for name in chosen:
                with servers.Server(commands(path, streams)[name]) as server:
                    load.measure(server.url, path, 1, 1, output=16, llama=name == "llama")  # warm
                    repeated = max(rounds, 2) if streams == 1 else rounds
                    found[name].append(servers.undisturbed(server, lambda: load.measure(
                        server.url, path, streams, repeated, llama=name == "llama")))
        cells = [[spread(found[name], key, unit) if found[name] else "" for name in found]
                 for key, unit in (("tokens_per_second", 1), ("first_token_ms", 1000), ("gap_ms_median", 1))]
        middle = [statistics.median(run["tokens_per_second"] for run in found[name]) for name in chosen]
        ratio = f"{middle[0] / middle[1]:.2f}" if len(middle) == 2 else ""
        share, others = (max(run[key] for name in chosen for run in found[name])
                         for key in ("load_share_of_core", "others_share_of_core"))
        print(f"| {streams} | {cells[0][0]} | {cells[0][1]} | {ratio} | {cells[1][0]} s | {cells[1][1]} s | "
              f"{cells[2][0]} ms | {cells[2][1]} ms | {share:.3f}, {others:.2f} |", flush=True)
