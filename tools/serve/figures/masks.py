"""What structured output costs: milliseconds a token of a lone stream, free and kept to schemas."""
import json
import statistics
import time
import urllib.request

import servers

MODELS = "0.5b"
TOKENS = 200


def story(**limits):
    return {"type": "object", "properties": {"story": {"type": "string", **limits}}, "required": ["story"], "additionalProperties": False}


def animals():
    properties = {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
        "kind": {"enum": ["fox", "bear", "owl"]},
    }
    item = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "array", "minItems": 30, "items": item}


SCHEMAS = {
    "free": None,
    "a string": story(),
    "a string of 1,500 to 2,000 characters": story(minLength=1500, maxLength=2000),
    "objects with bounded strings, integers, enums": animals(),
}


def ask(url, schema):
    body = {
        "messages": [{"role": "user", "content": "Tell me a long story of a fox and its friends."}],
        "seed": 1, "max_tokens": TOKENS,
    }
    if schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    data = json.dumps(body).encode()
    start = time.perf_counter()
    request = urllib.request.Request(url + "/v1/chat/completions", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        usage = json.load(answer)["usage"]
    return 1000 * (time.perf_counter() - start) / usage["completion_tokens"]


def measure(model, path, options):
    found = {name: [] for name in SCHEMAS}
    with servers.Server(servers.apus(path, 2048, 1)) as server:
        ask(server.url, None)
        for _ in range(options.runs):
            for name, schema in SCHEMAS.items():
                found[name].append(ask(server.url, schema))
    print(f"\n{path.split('/')[-1]}, medians of {options.runs}\n\n| answer | ms a token | more than free |\n|---|--:|--:|")
    free = statistics.median(found["free"])
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"| {name} | {middle:.2f} ({min(times):.2f}-{max(times):.2f}) | {100 * (middle / free - 1):.1f} % |")
