"""Whether a server keeps to a memory cgroup of the size given with --memory, under load.

The server runs in a cgroup of its own (version 1 or 2) whose limit is that size. Requests for prompts of 64 to 6,000 tokens,
32 at a time; some streams end with their first prompt again, which may be cached by then; a text of 6,000 tokens is embedded
beside them, or refused. Every answer must be whole, and equal to that of a lone run without a limit (up to LONGEST_LONE). Then:
nothing killed, and what can't be reclaimed (the processes' anonymous memory, into which weights are packed, and the kernel's
for them) within the limit. Pages of files, such as the model's while it is loaded, count in the cgroup and give way.
"""
import asyncio
import json
import os
import random
import re
import tempfile
import urllib.error
import urllib.request

import load
import servers
from figures import mixed

MODELS = "smollm2,1.5b"
STREAMS, SHORTEST, LONGEST, OUTPUT = 32, 64, 6000, 48
LONGEST_LONE = {"1.5b": 100}  # tokens of the longest prompts whose answers are compared: lone runs of all take very long
BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
HEAD = """
| --memory | plan | anonymous | kernel | files beside them | KV blocks in use | limit reached | killed | answers | wrong | embedding |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


class Group:
    """A memory cgroup below the root's, which takes root to make."""

    def __init__(self, limit):
        self.is_v1 = os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes")
        self.path = f"/sys/fs/cgroup/{'memory/' if self.is_v1 else ''}apus-bench-{os.getpid()}"
        os.mkdir(self.path)
        with open(f"{self.path}/{'memory.limit_in_bytes' if self.is_v1 else 'memory.max'}", "w") as file:
            file.write(str(limit))

    def within(self, command):
        """A command that enters the group and runs another."""
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *command]

    def read(self, name):
        with open(f"{self.path}/{name}") as file:
            return file.read()

    def now(self):
        """Bytes of the processes' anonymous memory, of the kernel's for them, and of files."""
        stat = dict(line.split() for line in self.read("memory.stat").splitlines())
        if self.is_v1:
            return int(stat["total_rss"]), int(self.read("memory.kmem.usage_in_bytes")), int(stat["total_cache"])
        return int(stat["anon"]), int(stat["kernel"]) + int(stat["sock"]), int(stat["file"])

    def kills(self):
        return int(re.search(r"oom_kill (\d+)", self.read("memory.oom_control" if self.is_v1 else "memory.events"))[1])

    def hits(self):
        """How often the limit was reached, so that files had to give way."""
        return int(self.read("memory.failcnt")) if self.is_v1 else int(re.search(r"^max (\d+)", self.read("memory.events"), re.M)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.rmdir(self.path)


def forget(path):
    """Drops a file's pages, so that reading them counts in the group that does."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def byte_count(text):
    number, unit = re.fullmatch(r"([\d.]+)([A-Z]*)", text.upper()).groups()
    return int(float(number) * BYTES[unit])


def questions(path, count):
    """Prompts of any length, more short ones than long ones, the first of them as long as any."""
    rng = random.Random(7)
    lengths = [LONGEST] + [round(SHORTEST * (LONGEST / SHORTEST) ** (rng.random() ** 2)) for _ in range(count - 1)]
    return [load.body(rng, path, length, OUTPUT) | {"logprobs": 0} for length in lengths]


async def stream(client, asked, references, lane):
    """The questions of a stream one after the other; every fourth stream asks its first again."""
    numbers = list(range(lane, len(asked), STREAMS))
    for number in numbers + numbers[: lane % 4 == 0]:
        try:
            found = await client.whole(asked[number], references.get(number))
            if found is None or len(found) != OUTPUT:
                client.wrong.append(f"no whole answer to question {number}")
            client.count("answers")
        except (OSError, ValueError) as error:
            client.wrong.append(f"no answer to question {number}: {error}")


def embed(url, tokens):
    """The status of the answer to a long text, which is computed beside the streams or refused for lack of memory."""
    data = json.dumps({"input": tokens}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/embeddings", data, {"content-type": "application/json"})) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


async def watch(server, group, samples):
    """Notes four times a second what takes memory, and how many KV blocks do."""
    while True:
        try:
            values = await asyncio.to_thread(servers.metrics, server.url)
            blocks = values["apus_kv_blocks"] - values["apus_kv_blocks_free"], values["apus_kv_blocks"]
        except (OSError, KeyError):
            blocks = (0, 0)
        samples.append((*group.now(), blocks))
        await asyncio.sleep(0.25)


async def load_all(server, group, asked, references):
    client, samples = mixed.Client(server.url), []
    watching = asyncio.create_task(watch(server, group, samples))
    embedding = asyncio.create_task(asyncio.to_thread(embed, server.url, asked[0]["prompt"]))
    await asyncio.gather(*(stream(client, asked, references, lane) for lane in range(STREAMS)))
    status = await embedding
    watching.cancel()
    return client, samples, status


def run(memory, path, asked, references, *arguments):
    """A row of the table; returns what is wrong."""
    limit = byte_count(memory)
    for file in (path, servers.APUS):
        forget(file)
    with Group(limit) as group:
        command = [servers.APUS, "serve", path, "--threads", servers.THREADS, "--memory", memory, *arguments]
        with servers.Server(group.within(command)) as server:
            client, samples, embedded = asyncio.run(load_all(server, group, asked, references))
            with open(server.log.name) as file:
                plan = re.search(r"memory: .*\n +\S+ +(.*)", file.read())[1]
        kills, hits = group.kills(), group.hits()
    anonymous, kernel, files, _ = max(samples)
    used, blocks = max(sample[3] for sample in samples)
    answers, compared = client.counts.get("answers", 0), client.counts.get("whole answers", 0)
    print(f"| {' '.join([memory, *arguments[:1]])} | {plan} | {anonymous / 1e6:.0f} MB | {kernel / 1e6:.1f} MB | {files / 1e6:.0f} MB | "
          f"{used:.0f} of {blocks:.0f} | {hits} times | {kills} | {answers}, {compared} compared | "
          f"{len(client.wrong)} | {embedded} |", flush=True)
    failures = client.wrong[:3]
    failures += [f"{kills} processes killed"] if kills else []
    failures += [] if embedded in (200, 400) else [f"status {embedded} for an embedding"]
    failures += [f"exit code {server.process.returncode}"] if server.process.returncode else []
    failures += [f"{anonymous + kernel} bytes of {limit}"] if anonymous + kernel > limit else []
    return [f"{memory}: {text[:200]}" for text in failures]


def measure(model, path, options):
    asked = questions(path, STREAMS)
    with servers.Server(servers.apus(path, 8192, 1, "--no-prefix-cache", "--batching", "sequential")) as server:
        lone = [n for n, body in enumerate(asked) if len(body["prompt"]) <= LONGEST_LONE.get(model, LONGEST)]
        references = dict(zip(lone, asyncio.run(mixed.lone_runs(server.url, [asked[number] for number in lone]))))
    budgets = options.memory.split(",")
    print(f"\n{path.split('/')[-1]}, {STREAMS} streams, prompts of {SHORTEST} to {LONGEST} tokens, {OUTPUT} tokens of answer\n{HEAD}")
    failures = [text for memory in budgets for text in run(memory, path, asked, references)]
    if options.on_disk:
        with tempfile.TemporaryDirectory() as folder:
            failures += run(budgets[-1], path, asked, references, "--cache-dir", folder)
    if failures:
        raise SystemExit("failed: " + "; ".join(failures))
