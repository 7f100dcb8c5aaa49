#!/usr/bin/env python3
"""Load on a server that speaks OpenAI's completions: distinct prompts of random tokens, streamed, N at a time.

    tools/serve/load.py http://127.0.0.1:8080 --streams 1,4,8,16,32 --forbid 0,2

Each of the N streams sends `--rounds` requests, one after the other: prompts of 64 to 512 tokens, exactly `--output` tokens
of answer (end tokens are forbidden by --forbid). Prints per N the generated tokens per second from the first request
to the last answer, the time to the first token, the gaps between tokens, and what share of a core this program took.
With --long K, K prompts of 6,000 tokens arrive while the streams run; the gaps while they run are printed apart.
Plain sockets and json only, so that the load costs little.
"""
import argparse
import asyncio
import json
import random
import resource
import statistics
import time
import urllib.parse


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def answer(url, body):
    """Sends a request; returns the times of the events that brought text, and the usage."""
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nhost: {url.hostname}:{url.port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
    )
    writer.write(head.encode() + data)
    sent = time.perf_counter()
    times, usage = [], None
    status = (await reader.readline()).split()
    if status[1] != b"200":
        raise SystemExit((await reader.read()).decode())
    while line := await reader.readline():
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if event.get("choices"):
            times.append(time.perf_counter())
        usage = event.get("usage") or usage
    writer.close()
    return sent, times, usage


def body(options, rng, length, output):
    return {
        **({"model": options.model} if options.model else {}),
        "prompt": [rng.randrange(1000, options.vocabulary) for _ in range(length)],
        "max_tokens": output,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "logit_bias": {token: -100 for token in options.forbid.split(",") if token},
    }


async def measure(options, url, streams):
    rng = random.Random(streams)
    waits, gaps, tokens = [], [], 0

    async def stream():
        nonlocal tokens
        for _ in range(options.rounds):
            sent, times, usage = await answer(url, body(options, rng, rng.randrange(64, 513), options.output))
            waits.append(times[0] - sent)
            gaps.extend((after, after - before) for before, after in zip(times, times[1:]))
            tokens += usage["completion_tokens"]

    span = []

    async def long_prompt():
        await asyncio.sleep(options.long_after)
        start = time.perf_counter()
        sent, times, _ = await answer(url, body(options, rng, options.long_length, 1))
        span.append((start, times[0]))

    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(streams)), *(long_prompt() for _ in range(options.long)))
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    client = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds
    during = [gap for at, gap in gaps if any(first <= at <= last for first, last in span)]
    others = [gap for at, gap in gaps if not any(first <= at <= last for first, last in span)]
    result = {
        "streams": streams,
        "tokens_per_second": round(tokens / seconds, 1),
        "first_token_ms": round(1e3 * statistics.median(waits), 1),
        "gap_ms_median": round(1e3 * statistics.median(others), 2),
        "gap_ms_p95": round(1e3 * percentile(others, 0.95), 2),
        "client_cpu": round(client, 3),
    }
    if during:
        result["long_prompt_seconds"] = round(max(last - first for first, last in span), 2)
        result["gap_ms_p95_beside_long"] = round(1e3 * percentile(during, 0.95), 2)
    print(json.dumps(result), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--model", default=None)
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=int, default=128)
    parser.add_argument("--vocabulary", type=int, default=40000)
    parser.add_argument("--forbid", default="", help="end tokens of the model, separated by commas")
    parser.add_argument("--long", type=int, default=0, help="long prompts that arrive meanwhile")
    parser.add_argument("--long-length", type=int, default=6000)
    parser.add_argument("--long-after", type=float, default=1.0, help="seconds until they arrive")
    options = parser.parse_args()
    url = urllib.parse.urlparse(options.url)
    for streams in map(int, options.streams.split(",")):
        asyncio.run(measure(options, url, streams))


main()
