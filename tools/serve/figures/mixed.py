"""Minutes of mixed load: clients that vanish, trickle, send garbage and reconnect beside clients that read their answers.

Every whole answer must equal that of a lone run with its seed, which is computed first; a broken one must be a beginning of
it. Then: no status from 500 on, resident memory that does not grow, and no KV block that is not given back.
"""
import asyncio
import json
import random
import statistics
import time
import urllib.parse

import load
import servers

MODELS = "smollm2"
CLIENTS, KINDS = 12, 24
GARBAGE = [
    b"\x00\x01\x02\xff garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"prompt\"", b"\x16\x03\x01\x02\x00\x01\x00",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\xff\xfe{}", b"GET /" + b"a" * 70000,
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
]


def questions(path):
    """The requests that all clients draw from: some alike in their beginnings, greedy and sampled, long and short."""
    rng = random.Random(10)
    shared = [rng.randrange(1000, 40000) for _ in range(192)]
    asked = []
    for kind in range(KINDS):
        body = load.body(rng, path, rng.choice([5, 64, 300, 700]), rng.choice([1, 30, 120, 250]))
        if kind % 3 == 0:
            body["prompt"] = shared + body["prompt"]
        body |= {"seed": kind, "temperature": rng.choice([0, 0.8, 1.3]), "logprobs": 0}
        asked.append(body)
    return asked


class Client:
    """Counts what happened, and sends requests over plain sockets."""

    def __init__(self, url):
        self.address = urllib.parse.urlparse(url)
        self.counts = {}
        self.wrong = []

    def count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1

    async def open(self, data):
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port, limit=1 << 22)
        writer.write(data)
        return reader, writer

    @staticmethod
    def request(body, close=True):
        data = json.dumps(body).encode()
        return b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n" % (
            len(data), b"close" if close else b"keep-alive") + data

    async def status(self, reader):
        words = (await reader.readline()).split()
        status = int(words[1]) if len(words) > 1 else 0
        self.count(f"status {status}")
        return status

    async def tokens(self, reader, limit=None, pause=0.0):
        """The answer's tokens and log probabilities until its end or until `limit`; and whether it ended."""
        found = []
        while (text := await reader.readline()) and text.strip() != b"data: [DONE]":
            if text.startswith(b"data: {"):
                event = json.loads(text[6:])
                if "error" in event:
                    self.wrong.append(f"an error in a stream: {event}")
                for choice in event.get("choices", []):
                    if details := choice.get("logprobs"):
                        found += zip(details["tokens"], details["token_logprobs"])
                if limit is not None and len(found) >= limit:
                    return found, False
                await asyncio.sleep(pause)
        return found, text.strip() == b"data: [DONE]"

    async def whole(self, body, reference=None, pause=0.0):
        """Reads an answer to its end."""
        reader, writer = await self.open(self.request(body))
        try:
            if await self.status(reader) != 200:
                return None
            found, ended = await self.tokens(reader, pause=pause)
            self.check(found, reference, ended)
            return found
        finally:
            writer.close()

    def check(self, found, reference, ended):
        if reference is None:
            return
        self.count("whole answers" if ended else "broken answers")
        if found != (reference if ended else reference[: len(found)]):
            self.wrong.append(f"expected {reference[:len(found)]}, found {found}")

    async def vanish(self, body, reference, rng):
        """Leaves while the answer comes, or before it does; abruptly or not."""
        reader, writer = await self.open(self.request(body))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.random() * 0.2)
        elif await self.status(reader) == 200:
            self.check(*self.pair(await self.tokens(reader, rng.randrange(1, 20)), reference))
        if rng.random() < 0.5:
            writer.transport.abort()
        writer.close()
        self.count("vanished")

    @staticmethod
    def pair(answer, reference):
        return answer[0], reference, answer[1]

    async def trickle(self, body, reference):
        """Sends the request a few bytes at a time."""
        data = self.request(body)
        reader, writer = await self.open(data[:20])
        step = max(1, len(data) // 40)
        for start in range(20, len(data), step):
            await asyncio.sleep(0.02)
            writer.write(data[start : start + step])
        if await self.status(reader) == 200:
            self.check(*self.pair(await self.tokens(reader), reference))
        writer.close()
        self.count("trickled")

    async def garbage(self, rng):
        reader, writer = await self.open(rng.choice(GARBAGE))
        try:
            await asyncio.wait_for(self.status(reader), 1)
        except (asyncio.TimeoutError, ConnectionError):
            pass
        writer.close()
        self.count("garbage")

    async def reconnect(self, body, reference, rng):
        """Leaves and asks the same again at once, several times."""
        for _ in range(rng.randrange(1, 4)):
            await self.vanish(body, reference, rng)
        await self.whole(body, reference)
        self.count("reconnected")

    async def live(self, asked, references, number, end):
        rng = random.Random(number)
        while time.monotonic() < end:
            kind = rng.randrange(len(asked))
            body, reference = asked[kind], references[kind]
            way = rng.choices(["whole", "slow", "vanish", "trickle", "garbage", "reconnect"], [6, 1, 2, 1, 1, 1])[0]
            try:
                if way == "whole":
                    await self.whole(body, reference)
                elif way == "slow":
                    await self.whole(body, reference, pause=0.02)
                elif way == "vanish":
                    await self.vanish(body, reference, rng)
                elif way == "trickle":
                    await self.trickle(body, reference)
                elif way == "garbage":
                    await self.garbage(rng)
                else:
                    await self.reconnect(body, reference, rng)
            except ConnectionError:
                self.count(f"connection reset: {way}")


async def watch(server, samples, began, end):
    """Notes the resident memory every second."""
    while time.monotonic() < end:
        samples.append((time.monotonic() - began, server.resident_bytes()))
        await asyncio.sleep(1)


async def lone_runs(url, asked):
    client = Client(url)
    return [await client.whole(body) for body in asked]


async def load_for(server, asked, references, minutes):
    client, samples = Client(server.url), []
    began = time.monotonic()
    end = began + 60 * minutes
    await asyncio.gather(*(client.live(asked, references, n, end) for n in range(CLIENTS)), watch(server, samples, began, end))
    return client, samples


def slope(samples, first):
    """Megabytes a minute, by least squares over the samples after `first` seconds."""
    late = [(at / 60, size / 1e6) for at, size in samples if at >= first]
    return statistics.linear_regression(*zip(*late)).slope if len(late) > 2 else float("nan")


def settled(url):
    """The metrics once nothing is under way."""
    deadline = time.monotonic() + 30
    while True:
        values = servers.metrics(url)
        busy = values["apus_engine_running"] + values["apus_engine_waiting"] + values["apus_answers_in_flight"]
        if not busy or time.monotonic() > deadline:
            return values, busy
        time.sleep(0.1)


def measure(model, path, options):
    asked = questions(path)
    with servers.Server(servers.apus(path, 2048, 1, "--no-prefix-cache", "--batching", "sequential")) as server:
        references = asyncio.run(lone_runs(server.url, asked))
    with servers.Server(servers.apus(path, 2048, 6)) as server:
        client, samples = asyncio.run(load_for(server, asked, references, options.minutes))
        values, busy = settled(server.url)
    failures = client.wrong[:5]
    failures += [name for name in client.counts if name.startswith("status 5")]
    leaked = values["apus_kv_blocks"] - values["apus_kv_blocks_free"]
    if busy or leaked:
        failures.append(f"{busy:.0f} requests and {leaked:.0f} KV blocks left behind")
    settling = 120 if options.minutes > 3 else 20 * options.minutes
    growth = slope(samples, settling)
    print(f"\n{path.split('/')[-1]}, {options.minutes:g} minutes, {CLIENTS} clients: " + ", ".join(
        f"{name}: {count}" for name, count in sorted(client.counts.items())))
    print(f"wrong answers: {len(client.wrong)}; KV blocks left behind: {leaked:.0f} of {values['apus_kv_blocks']:.0f}; resident memory: "
          f"{samples[0][1] / 1e6:.0f} MB at first, {samples[-1][1] / 1e6:.0f} MB at the end, {growth:+.2f} MB a minute "
          f"after {settling:.0f} s; cancelled: {values['apus_cancelled_requests_total']:.0f}", flush=True)
    if failures:
        raise SystemExit("failed: " + "; ".join(failures))
