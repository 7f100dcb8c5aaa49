"""Checks of `apus serve` through the official openai package and raw sockets.

   check.py PROGRAM MODEL.gguf [NAME…]     NAME…: only these checks
"""

import concurrent.futures
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

import openai

from server import Server, until

PROGRAM, MODEL = sys.argv[1:3]
WANTED = sys.argv[3:]
NAME = os.path.basename(MODEL)[: -len(".gguf")]
# Forbids the tokens that would end an answer early.
ENDLESS = {"0": -100, "2": -100}
HELLO = [{"role": "user", "content": "Name three rivers."}]


def start(*arguments, **options):
    return Server(PROGRAM, MODEL, *arguments, **options)


def refused(call, status, param=None, code=None):
    """Checks that a call is refused as it should be."""
    try:
        call()
    except openai.APIStatusError as error:
        body = error.body
        assert error.status_code == status, (error.status_code, body)
        assert set(body) == {"message", "type", "param", "code"}, body
        assert param is None or body["param"] == param, body
        assert code is None or body["code"] == code, body
        return error
    raise AssertionError(f"expected status {status}")


# MARK: Answers


def chat(server):
    answer = server.client().chat.completions.create(model=NAME, messages=HELLO, max_tokens=12, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content, answer
    assert choice.finish_reason == "length" and answer.usage.completion_tokens == 12, answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    assert answer.model == NAME and answer.object == "chat.completion" and answer.id.startswith("chatcmpl-")


def stream(server):
    client = server.client()
    whole = client.chat.completions.create(model=NAME, messages=HELLO, max_tokens=40, seed=3)
    chunks = list(
        client.chat.completions.create(
            model=NAME, messages=HELLO, max_tokens=40, seed=3, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({c.id for c in chunks}) == 1
    plain = list(client.chat.completions.create(model=NAME, messages=HELLO, max_tokens=4, stream=True))
    assert all(c.choices and c.usage is None for c in plain)


def choices(server):
    answer = server.client().chat.completions.create(model=NAME, messages=HELLO, max_tokens=12, n=3, seed=1)
    texts = [c.message.content for c in answer.choices]
    assert [c.index for c in answer.choices] == [0, 1, 2] and len(set(texts)) == 3, texts
    alone = server.client().chat.completions.create(model=NAME, messages=HELLO, max_tokens=12, seed=2)
    assert alone.choices[0].message.content == texts[1]


def logprobs(server):
    answer = server.client().chat.completions.create(
        model=NAME, messages=HELLO, max_tokens=8, temperature=0, logprobs=True, top_logprobs=3
    )
    content = answer.choices[0].logprobs.content
    assert len(content) == 8
    assert b"".join(bytes(t.bytes) for t in content).decode() == answer.choices[0].message.content
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert math.isclose(token.top_logprobs[0].logprob, token.logprob), token
    chunks = server.client().chat.completions.create(
        model=NAME, messages=HELLO, max_tokens=8, temperature=0, logprobs=True, top_logprobs=3, stream=True
    )
    streamed = [t for c in chunks for t in ((c.choices[0].logprobs and c.choices[0].logprobs.content) or [])]
    assert streamed == content
    answer = server.client().completions.create(model=NAME, prompt="One, two,", max_tokens=4, logprobs=2, temperature=0)
    found = answer.choices[0].logprobs
    assert "".join(found.tokens) == answer.choices[0].text and len(found.top_logprobs[0]) == 2
    assert found.text_offset[0] == 0 and found.text_offset[1] == len(found.tokens[0])


def stop_strings(server):
    for stop in (" 8", [" 9", " 8", "x", "y", "z"]):
        answer = server.client().completions.create(
            model=NAME, prompt="1, 2, 3, 4, 5, 6,", max_tokens=40, temperature=0, stop=stop
        )
        assert answer.choices[0].text == " 7," and answer.choices[0].finish_reason == "stop", answer


def same_as_run(server):
    """A seed's answer equals that of `apus run`, alone and among others."""
    alone = json.loads(
        subprocess.run(
            [PROGRAM, "run", MODEL, "--context", "2048", "Name three rivers.", "--seed", "7", "--max-tokens", "48", "--json"],
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    )

    def ask(seed):
        answer = server.client().chat.completions.create(
            model=NAME, messages=HELLO, seed=seed, max_tokens=48, logprobs=True
        )
        return answer.choices[0].message.content

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(ask, [7, 1, 7, 2, 7, 3, 7, 4]))
    assert all(texts[i] == alone["text"] for i in (0, 2, 4, 6)), (alone["text"], texts)


def completions(server):
    client = server.client()
    prompts = ["The capital of France is", "2 + 2 ="]
    answer = client.completions.create(model=NAME, prompt=prompts, n=2, max_tokens=4, echo=True, seed=1)
    assert [c.index for c in answer.choices] == [0, 1, 2, 3]
    assert all(c.text.startswith(prompts[c.index // 2]) for c in answer.choices)
    assert answer.usage.completion_tokens == 16
    ids = json.loads(server.post("/tokenize", {"content": prompts[0]})[2])["tokens"]
    one = client.completions.create(model=NAME, prompt=prompts[0], max_tokens=6, temperature=0)
    assert client.completions.create(model=NAME, prompt=ids, max_tokens=6, temperature=0).choices[0].text == one.choices[0].text
    many = client.completions.create(model=NAME, prompt=[ids, ids], max_tokens=6, temperature=0)
    assert [c.text for c in many.choices] == [one.choices[0].text] * 2
    chunks = list(client.completions.create(model=NAME, prompt=prompts[0], max_tokens=6, temperature=0, stream=True))
    assert "".join(c.choices[0].text for c in chunks) == one.choices[0].text
    assert client.completions.create(model=NAME, prompt="a", logit_bias=ENDLESS).usage.completion_tokens == 16


def echoed_logprobs(server):
    """A prompt's log probabilities are those that its tokens have when they are generated."""
    client = server.client()
    made = client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=12, temperature=0, logprobs=3).choices[0]
    ids = json.loads(server.post("/tokenize", {"content": "The capital of France is"})[2])["tokens"]
    whole = ids + json.loads(server.post("/tokenize", {"content": made.text})[2])["tokens"]
    for stream in (False, True):
        answer = client.completions.create(
            model=NAME, prompt=whole, max_tokens=1, temperature=0, logprobs=3, echo=True, stream=stream, n=2
        )
        choices = [c.choices[0] for c in answer if c.choices] if stream else answer.choices
        echo = next(c.logprobs for c in choices if c.index == 1 and c.logprobs)
        text = "The capital of France is" + made.text
        assert echo.token_logprobs[0] is None and echo.top_logprobs[0] is None
        assert "".join(echo.tokens[: len(whole)]) == text
        assert all(text[o:].startswith(t) for o, t in zip(echo.text_offset, echo.tokens[: len(whole)]))
        if len(whole) == len(ids) + 12:
            assert echo.tokens[len(ids) : len(whole)] == made.logprobs.tokens
            assert echo.token_logprobs[len(ids) : len(whole)] == made.logprobs.token_logprobs
            assert echo.top_logprobs[len(ids) : len(whole)] == made.logprobs.top_logprobs
        else:
            print("   the answer's text has other tokens")
    long = client.completions.create(model=NAME, prompt=[5] * 100 + whole, max_tokens=1, logprobs=0, echo=True).choices[0]
    assert len(long.logprobs.tokens) == 101 + len(whole) and all(p <= 0 for p in long.logprobs.token_logprobs[1:])
    refused(lambda: client.completions.create(model=NAME, prompt=[1] * 2100, max_tokens=1, logprobs=0, echo=True), 400, "prompt")


def best_of(server):
    client = server.client()
    create = lambda **more: client.completions.create(
        model=NAME, prompt=["Once", "The sea"], max_tokens=12, temperature=1.5, seed=4, **more
    )
    every = create(n=5, logprobs=0).choices
    best = create(n=2, best_of=5, logprobs=0)
    assert best.usage.completion_tokens == sum(len(c.logprobs.tokens) for c in every)
    mean = lambda c: sum(c.logprobs.token_logprobs) / len(c.logprobs.token_logprobs)
    for prompt in range(2):
        wanted = sorted(every[prompt * 5 : prompt * 5 + 5], key=mean, reverse=True)[:2]
        assert [c.text for c in best.choices[prompt * 2 : prompt * 2 + 2]] == [c.text for c in wanted]
    plain = create(n=1, best_of=5)
    assert [c.text for c in plain.choices] == [best.choices[0].text, best.choices[2].text]
    assert plain.choices[0].logprobs is None
    refused(lambda: create(n=2, best_of=1), 400, "best_of")
    refused(lambda: create(n=1, best_of=2, stream=True), 400, "best_of")


def cached_tokens(server):
    messages = [{"role": "user", "content": "Tell me about rivers. " * 40}]
    ask = lambda: server.client().chat.completions.create(model=NAME, messages=messages, max_tokens=4, temperature=0)
    first, second = ask(), ask()
    assert second.usage.prompt_tokens_details.cached_tokens > 100, second.usage
    assert second.choices[0].message.content == first.choices[0].message.content


def embeddings(server):
    client = server.client()
    floats = client.embeddings.create(model=NAME, input=["sky", "sea"], encoding_format="float")
    packed = client.embeddings.create(model=NAME, input=["sky", "sea"])
    assert len(floats.data) == 2 and floats.usage.prompt_tokens == packed.usage.prompt_tokens > 0
    for one, other in zip(floats.data, packed.data):
        assert math.isclose(sum(x * x for x in one.embedding), 1, rel_tol=1e-4)
        assert all(math.isclose(x, y, rel_tol=1e-6) for x, y in zip(one.embedding, other.embedding))
    refused(lambda: client.embeddings.create(model=NAME, input="x", dimensions=8), 400, "dimensions")
    refused(lambda: client.embeddings.create(model=NAME, input=[10**7]), 400)


def models(server):
    assert [m.id for m in server.client().models.list()] == [NAME]
    assert server.client().models.retrieve(NAME).id == NAME
    refused(lambda: server.client().models.retrieve("gpt-4"), 404, "model", "model_not_found")
    capabilities = json.loads(server.get("/capabilities")[2])
    assert capabilities["models"][0]["context_length"] == 2048


def text_routes(server):
    tokens = json.loads(server.post("/tokenize", {"content": "Hello wörld"})[2])["tokens"]
    assert json.loads(server.post("/detokenize", {"tokens": tokens})[2])["content"] == "Hello wörld"
    prompt = json.loads(server.post("/apply-template", {"messages": HELLO})[2])["prompt"]
    assert prompt.endswith("<|im_start|>assistant\n"), prompt


# MARK: Errors


def errors(server):
    client = server.client()
    create = client.chat.completions.create
    refused(lambda: create(model="gpt-4", messages=HELLO), 404, "model", "model_not_found")
    refused(lambda: create(model=NAME, messages=[]), 400, "messages")
    refused(lambda: create(model=NAME, messages=HELLO, temperature=9), 400, "temperature")
    refused(lambda: create(model=NAME, messages=HELLO, extra_body={"tempreature": 1}), 400, "tempreature")
    refused(lambda: create(model=NAME, messages=HELLO, response_format={"type": "xml"}), 400, "response_format.type")
    refused(lambda: create(model=NAME, messages=HELLO, logit_bias={"99999999": 1}), 400)
    long = [{"role": "user", "content": "word " * 5000}]
    error = refused(lambda: create(model=NAME, messages=long), 400, "messages", "context_length_exceeded")
    assert "2048" in str(error)
    refused(lambda: client.completions.create(model=NAME, prompt="a", suffix="b"), 400, "suffix")
    status, headers, _ = server.post("/v1/completions", {"prompt": "a", "user": "u", "max_tokens": 1})
    assert status == 200 and "user" in headers["warning"] and headers["x-request-id"]
    assert server.get("/nothing")[0] == 404 and server.get("/v1/chat/completions")[0] == 405
    assert server.get("/nothing", {"x-request-id": "my-id"})[1]["x-request-id"] == "my-id"


def hostile_bodies(server):
    """No body ends the process, and every one is answered with a 400."""
    bodies = [
        b"", b"{", b"[" * 100_000, b'{"messages": ' + b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe", b"nul", b'"x"',
        b'{"prompt": "\xc3\x28"}', b'{"prompt": "a", "max_tokens": -1}', b'{"prompt": "a", "max_tokens": 1e400}',
        b'{"prompt": "a", "seed": 99999999999999999999999}', b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "prompt": "b"}', b'{"prompt": [-1]}', b'{"prompt": [99999999]}', b'{"prompt": [[]]}',
        b'{"prompt": "a", "n": 1000000}', b'{"prompt": "a", "top_k": -5}', b'{"prompt": ""}',
        b'{"prompt": "a", "stop": [' + b",".join([b'"x"'] * 100) + b"]}", b'{"prompt": "a", "stop": ""}',
        b'{"prompt": "a", "logit_bias": {"-1": 1}}', b'{"prompt": "a", "logit_bias": {"1": 1e999}}',
        b'{"prompt": "a", "max_tokens": 9223372036854775808}', b'{"prompt": "a", "' + b"x" * 100_000 + b'": 1}',
        b'{"prompt": "a", "temperature": ' + b"1" * 5000 + b"}",
    ]
    for body in bodies:
        status, _, answer = server.post("/v1/completions", body)
        assert status == 400 and "error" in json.loads(answer), (body[:60], status, answer[:200])
    assert server.get("/health")[0] == 200


# MARK: HTTP


def health_under_load(server):
    """/health answers while the engine computes long prompts."""
    body = {"prompt": "The river runs and runs. " * 250, "max_tokens": 8}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        running = [pool.submit(server.post, "/v1/completions", body | {"prompt": f"{i} {body['prompt']}"}) for i in range(6)]
        durations = []
        while not all(request.done() for request in running):
            start = time.time()
            assert server.get("/health")[0] == 200
            durations.append(time.time() - start)
            time.sleep(0.005)
    assert all(request.result()[0] == 200 for request in running)
    durations.sort()
    print(f"   /health under load: {len(durations)} times, median {durations[len(durations) // 2] * 1000:.1f} ms, "
          f"slowest {durations[-1] * 1000:.1f} ms")


def disconnects(server):
    """A client that goes ends its request, streamed or not."""
    for streamed in (True, False):
        before = server.metric("apus_cancelled_requests_total")
        body = json.dumps({"prompt": "Count:", "max_tokens": 1900, "temperature": 1.5, "seed": 1, "stream": streamed,
                           "logit_bias": ENDLESS}).encode()
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: server.metric("apus_engine_running"))
        connection.close()
        server.idle()
        assert server.metric("apus_cancelled_requests_total") == before + 1
        assert server.metric("apus_kv_blocks_free") == server.metric("apus_kv_blocks")


def keep_alive(server):
    """Two requests on one connection."""
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(request)
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer


def bounds(server):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 413 " in server.raw(head + b"Content-Length: 999999999\r\n\r\n")[:20]
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    assert b" 413 " in server.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 10)[:20]
    flood = b"".join(b"X-%d: y\r\n" % i for i in range(5000))
    assert b" 200 " not in server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + flood + b"\r\n")[:20]
    assert b" 200 " not in server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")[:20]
    assert b" 200 " not in server.raw(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[:20]
    assert b" 200 " not in server.raw(b"\x00\x01\x02 garbage\r\n\r\n")[:20]
    assert b" 200 " not in server.raw(head + b"Content-Length: -5\r\n\r\n")[:20]
    assert b" 200 " not in server.raw(head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")[:20]
    assert server.get("/health")[0] == 200


def origins(server):
    assert server.get("/health", {"Host": "evil.example"})[0] == 403
    status, headers, _ = server.post("/v1/completions", {"prompt": "a"}, {"Origin": "https://evil.example"})
    assert status == 403 and "access-control-allow-origin" not in headers
    assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 1}, {"Origin": server.url})[0] == 200
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert server.get("/v1/completions", headers, method="OPTIONS")[0] == 403


def page(server):
    status, headers, body = server.get("/")
    assert status == 200 and b"<" in body and "default-src 'none'" in headers["content-security-policy"]
    assert server.get("/page.css")[0] == server.get("/page.js")[0] == 200


def description(server):
    document = json.loads(server.get("/openapi.json")[2])
    assert document["openapi"].startswith("3.1") and "/v1/chat/completions" in document["paths"]


def schema():
    """What /openapi.json allows and forbids is answered as it says; nothing makes the server fail."""
    # A short context, as most requests drawn ask for as many tokens as there is room for.
    with start(context=256) as server:
        conforms(server)


def conforms(server):
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    result = subprocess.run(
        [program, "run", server.url + "/openapi.json", "--checks", checks, "--max-examples", "20", "--seed", "1", "--request-timeout", "60",
         "--generation-database", "none"],
        capture_output=True, text=True, cwd=tempfile.gettempdir(),
    )
    assert result.returncode == 0, result.stdout[-6000:]


def stages(server):
    """The stages of answers add up to their time within 1 %."""
    before = server.metric("apus_answer_stage_seconds_total"), server.metric("apus_answer_seconds_total")
    for _ in range(3):
        server.client().completions.create(model=NAME, prompt="Once upon a time", max_tokens=100, logit_bias=ENDLESS)
    after = server.metric("apus_answer_stage_seconds_total"), server.metric("apus_answer_seconds_total")
    parts, whole = after[0] - before[0], after[1] - before[1]
    assert whole > 0 and abs(parts - whole) / whole < 0.01, (parts, whole)


# MARK: Servers of their own


def keys():
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as file:
        file.write("sk-alice alice concurrency=1 tokens-per-minute=1000\nsk-bob bob tokens-per-minute=20\n")
        file.flush()
        with start("--api-key-file", file.name, "--cors-origin", "https://app.example") as server:
            for path in ("/v1/models", "/metrics", "/openapi.json", "/capabilities"):
                assert server.get(path)[0] == 401, path
            for path in ("/health", "/ready", "/", "/page.js"):
                assert server.get(path)[0] == 200, path
            assert server.post("/tokenize", {"content": "a"})[0] == 401
            refused(lambda: server.client("sk-wrong").models.list(), 401, code="invalid_api_key")
            assert server.client("sk-alice").models.list().data
            bob, alice = server.client("sk-bob"), server.client("sk-alice")
            bob.completions.create(model=NAME, prompt="Once upon a time", max_tokens=60, logit_bias=ENDLESS)
            again = lambda: bob.completions.create(model=NAME, prompt="a", max_tokens=1)
            error = refused(again, 429, code="rate_limit_exceeded")
            assert int(error.response.headers["retry-after"]) >= 1
            refused(lambda: alice.completions.create(model=NAME, prompt="a", n=2), 429)
            origin = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
            status, headers, _ = server.get("/v1/models", origin, method="OPTIONS")
            assert status == 204 and headers["access-control-allow-origin"] == "https://app.example"
            with open(file.name, "w") as changed:
                changed.write("sk-carol carol\n")
            time.sleep(1.1)
            assert server.client("sk-carol").models.list().data
            refused(lambda: alice.models.list(), 401)
            assert server.stop() == 0


def refusal_to_be_open():
    result = subprocess.run([PROGRAM, "serve", MODEL, "--host", "0.0.0.0"], capture_output=True, text=True)
    assert result.returncode == 2 and "--api-key-file" in result.stderr, result


def queue_limit():
    body = {"prompt": "Count:", "max_tokens": 400, "logit_bias": ENDLESS}
    with start("--max-requests", "2") as server:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            running = [pool.submit(server.post, "/v1/completions", body) for _ in range(2)]
            until(lambda: server.metric("apus_answers_in_flight") == 2)
            status, headers, _ = server.post("/v1/completions", {"prompt": "a"})
            assert status == 429 and headers["retry-after"]
            assert [f.result()[0] for f in running] == [200, 200]
        assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 1})[0] == 200
        assert server.stop() == 0


def resident(server):
    """Bytes of the server that are in memory."""
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def unloading():
    """An idle model gives its memory back, and answers the same when it is loaded again."""
    with start("--keep-alive", "1") as server:
        ask = lambda: server.client().completions.create(model=NAME, prompt="The sea", max_tokens=20, seed=3).choices[0].text
        weights = int(re.search(r'apus_model_memory_bytes{model="[^"]*",part="weights"} (\d+)', server.get("/metrics")[2].decode())[1])
        texts, loaded = [], []
        for _ in range(3):
            texts.append(ask())
            loaded.append(resident(server))
            until(lambda: server.metric("apus_model_loaded") == 0)
            # The last of the model's memory is given back just after that is counted.
            until(lambda: min(loaded) - resident(server) > weights)
        assert len(set(texts)) == 1, texts
        print(f"   resident: {loaded[-1] >> 20} MiB loaded, {resident(server) >> 20} MiB unloaded")
        assert json.loads(server.get("/v1/models")[2])["data"][0]["id"] == NAME
        model = json.loads(server.get("/capabilities")[2])["models"][0]
        assert model["loaded"] is False and model["context_length"] == 2048, model
        assert len(json.loads(server.post("/tokenize", {"content": "a"})[2])["tokens"]) == 1
        assert server.metric("apus_model_loads_total") >= 3 and server.stop() == 0


def taking_turns():
    """Two models that don't fit beside each other: a busy one finishes first, nobody is kept waiting forever, a client that
    goes while it waits leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        other = os.path.join(folder, "other.gguf")
        os.symlink(os.path.realpath(MODEL), other)
        arguments = other, "--memory", "300MB", "--contexts", "1", "--max-requests", "2"
        with start(*arguments) as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
            assert [m.id for m in server.client().models.list()] == [NAME, "other"]
            assert server.metric("apus_model_loaded") == 1
            body = {"prompt": "The sea", "max_tokens": 20, "seed": 3}
            own = json.loads(server.post("/v1/completions", body | {"model": NAME})[2])["choices"][0]["text"]
            chunks = endless(server.client(), 1000)
            next(chunks)
            waiting = pool.submit(server.post, "/v1/completions", body | {"model": "other"})
            until(lambda: server.metric("apus_answers_in_flight") == 2)
            durations = []
            for _ in range(20):
                begin = time.time()
                assert server.get("/health")[0] == 200
                durations.append(time.time() - begin)
            status, headers, _ = server.post("/v1/completions", body | {"model": NAME})
            assert status == 429 and headers["retry-after"], status
            assert not waiting.done()
            assert [c.choices[0].finish_reason for c in chunks][-1] == "length"
            status, _, answer = waiting.result()
            assert status == 200 and json.loads(answer)["choices"][0]["text"] == own, answer
            assert server.metric("apus_model_loaded") == 1
            request = json.dumps(body | {"model": NAME}).encode()
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % len(request) + request)
            server.idle()
            status, _, answer = server.post("/v1/completions", body | {"model": NAME})
            assert status == 200 and json.loads(answer)["choices"][0]["text"] == own, answer
            print(f"   /health while one waits for memory: slowest {max(durations) * 1000:.1f} ms")
            assert server.stop() == 0


def plan_at_start():
    """What the memory goes to is said before anything is loaded; what can't fit is refused with the numbers."""
    with start("--memory", "1GB") as server:
        text = "".join(server.lines)
        assert "1.0 GB allowed, as asked for" in text or "1 GB allowed, as asked for" in text, text
        assert text.index("KV cache") < text.index("loaded " + NAME), text
    result = subprocess.run([PROGRAM, "serve", MODEL, "--memory", "90MB"], capture_output=True, text=True)
    assert result.returncode == 1 and "weights" in result.stderr and "90.0 MB" in result.stderr, result


def endless(client, tokens):
    return iter(
        client.completions.create(model=NAME, prompt="Count:", max_tokens=tokens, logit_bias=ENDLESS, stream=True)
    )


def drain():
    """SIGTERM lets a running request finish, and takes no other."""
    with start("--drain-seconds", "60") as server:
        client = server.client()
        chunks = endless(client, 300)
        next(chunks)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
            raise AssertionError("a new connection was accepted")
        except OSError:
            pass
        assert [c.choices[0].finish_reason for c in chunks][-1] == "length"
        assert server.process.wait(timeout=30) == 0


def drain_ends():
    """What is not done in time is cut off, and the client can tell."""
    with start("--drain-seconds", "1") as server:
        client = server.client()
        chunks = endless(client, 1900)
        next(chunks)
        server.process.send_signal(signal.SIGTERM)
        begin = time.time()
        try:
            for _ in chunks:
                pass
        except Exception:
            server.process.wait(timeout=30)
            assert time.time() - begin < 10
        else:
            raise AssertionError("the stream ended as if it were whole")


SHARED = [
    chat, stream, choices, logprobs, stop_strings, same_as_run, completions, echoed_logprobs, best_of, cached_tokens, embeddings,
    models, text_routes, errors, hostile_bodies, health_under_load, disconnects, keep_alive, bounds, origins, page, description,
    stages,
]
OWN = [
    schema, keys, refusal_to_be_open, queue_limit, unloading, taking_turns, plan_at_start, drain, drain_ends,
]


def main():
    failed = []

    def run(check, *arguments):
        if WANTED and check.__name__ not in WANTED:
            return
        start = time.time()
        try:
            check(*arguments)
            print(f"ok {check.__name__} ({time.time() - start:.1f} s)", flush=True)
        except Exception:
            failed.append(check.__name__)
            print(f"FAILED {check.__name__}:\n{traceback.format_exc()}", flush=True)

    with start() as server:
        for check in SHARED:
            run(check, server)
        code = server.stop()
        if code != 0:
            failed.append(f"exit code {code}: {''.join(server.lines[-5:])}")
    for check in OWN:
        run(check)
    if failed:
        sys.exit(f"serve-check: failed: {', '.join(failed)}")


main()
