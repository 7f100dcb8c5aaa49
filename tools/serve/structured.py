"""Checks that structured output is enforced: a model of random weights, at temperature 2, over 200 schemas.

   structured.py PROGRAM RANDOM.gguf      what random_model.py wrote

Every finished answer must be valid by Python's jsonschema package, every call by its function's parameters.
"""

import concurrent.futures
import json
import os
import random
import sys

import jsonschema
import openai

from server import Server

PROGRAM, MODEL = sys.argv[1:3]
MODEL_NAME = os.path.basename(MODEL).removesuffix(".gguf")
SCHEMA_COUNT = 200
FORMATS = ["date", "time", "date-time", "uuid", "ipv4", "email", "hostname"]
PATTERNS = ["^[A-Z]{2}[0-9]{4}$", "^(red|green|blue)(-(dark|light))?$", "^\\d+(\\.\\d{1,2})?$", "^[^aeiou\\s]{1,12}$"]


class Schemas:
    """Draws schemas that use every keyword that is enforced."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def draw(self, depth=0):
        kinds = [self.string, self.text, self.integer, self.number, self.values, self.scalar]
        if depth < 3:
            kinds += [self.object, self.object, self.array, self.tuple, self.union, self.tagged]
        return self.object(depth) if depth == 0 else self.random.choice(kinds)(depth)

    def document(self):
        """A whole schema, now and then with definitions and recursion."""
        schema = self.draw()
        if self.random.random() < 0.3:
            node = {"type": "object", "properties": {"value": self.draw(3), "next": {"$ref": "#/$defs/node"}}}
            node["required"] = ["value"]
            schema["$defs"] = {"node": {**node, "additionalProperties": False}}
            schema["properties"]["list"] = {"$ref": "#/$defs/node"}
        return schema

    def string(self, _):
        low = self.random.randrange(5)
        return {"type": "string", "minLength": low, "maxLength": low + self.random.randrange(30)}

    def text(self, _):
        if self.random.random() < 0.5:
            return {"type": "string", "pattern": self.random.choice(PATTERNS)}
        return {"type": "string", "format": self.random.choice(FORMATS)}

    def integer(self, _):
        low = self.random.randrange(-1000, 1000)
        return self.random.choice([
            {"type": "integer", "minimum": low, "maximum": low + self.random.randrange(2000)},
            {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": low + 2 + self.random.randrange(50)},
            {"type": "integer", "multipleOf": self.random.choice([2, 5, 7, 10])},
            {"type": "integer", "minimum": 0, "maximum": 300, "multipleOf": 3},
        ])

    def number(self, _):
        low = self.random.randrange(-100, 100)
        return self.random.choice([
            {"type": "number", "minimum": low},
            {"type": "number", "exclusiveMinimum": low, "maximum": low + 1 + self.random.randrange(50)},
            {"type": "number", "exclusiveMaximum": low},
        ])

    def values(self, _):
        return self.random.choice([
            {"enum": ["red", "green", 3, None, True]}, {"const": "fixed"}, {"type": "string", "enum": ["a\"b", "é", "\n"]},
        ])

    def scalar(self, _):
        return {"type": self.random.choice(["boolean", "null", "string", "integer", "number", ["string", "null"]])}

    def object(self, depth):
        names = self.random.sample(["id", "name", "tags", "größe", "a b", "x\"y", "kind", "size"], self.random.randrange(1, 5))
        properties = {name: self.draw(depth + 1) for name in names}
        required = [name for name in names if self.random.random() < 0.7]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def array(self, depth):
        low = self.random.randrange(3)
        return {"type": "array", "items": self.draw(depth + 1), "minItems": low, "maxItems": low + self.random.randrange(4)}

    def tuple(self, depth):
        return {"type": "array", "prefixItems": [self.draw(depth + 1), self.draw(3)], "items": False, "minItems": 2}

    def union(self, depth):
        return {"anyOf": [self.draw(depth + 1), {"type": "null"}]}

    def tagged(self, depth):
        def case(tag):
            return {
                "type": "object",
                "properties": {"tag": {"const": tag}, "value": self.draw(depth + 1)},
                "required": ["tag", "value"],
                "additionalProperties": False,
            }

        return {"oneOf": [case("one"), case("two")]}


def valid(schema, text):
    """Raises if a text is no document of a schema."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(json.loads(text))


def noise(client, grammar=None, **fields):
    """An answer of the model's at temperature 2."""
    return client.chat.completions.create(
        model=MODEL_NAME,
        messages=[{"role": "user", "content": "x"}],
        temperature=2,
        top_p=1,
        max_completion_tokens=700,
        extra_body={"top_k": 0, "min_p": 0, "grammar": grammar},
        **fields,
    ).choices[0]


def schemas(client):
    drawn = Schemas(5)
    documents = [drawn.document() for _ in range(SCHEMA_COUNT)]

    def answer(number):
        schema = documents[number]
        format = {"type": "json_schema", "json_schema": {"name": "drawn", "strict": True, "schema": schema}}
        choice = noise(client, seed=number, response_format=format)
        if choice.finish_reason == "length":
            return False
        try:
            valid(schema, choice.message.content)
        except Exception as error:
            raise AssertionError(f"{json.dumps(schema)}\n{choice.message.content}\n{error}") from error
        return True

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        finished = sum(pool.map(answer, range(SCHEMA_COUNT)))
    assert finished >= SCHEMA_COUNT * 0.8, finished
    return f"{finished} of {SCHEMA_COUNT} answers finished, all valid"


def objects(client):
    finished = 0
    for seed in range(20):
        choice = noise(client, seed=seed, response_format={"type": "json_object"})
        if choice.finish_reason == "stop":
            assert isinstance(json.loads(choice.message.content), dict)
            finished += 1
    assert finished > 0
    return f"{finished} of 20 finished"


def grammars(client):
    body = {"top_k": 0, "min_p": 0, "grammar": 'root ::= move ("-" move){2}\nmove ::= [a-h] [1-8]'}
    for seed in range(5):
        answer = client.completions.create(
            model=MODEL_NAME, prompt="x", temperature=2, top_p=1, max_tokens=50, seed=seed, extra_body=body
        )
        moves = answer.choices[0].text.split("-")
        assert len(moves) == 3 and all(m[0] in "abcdefgh" and m[1] in "12345678" and len(m) == 2 for m in moves), moves
    return "5 of 5"


def tools(client):
    drawn = Schemas(7)
    functions = {name: drawn.object(2) for name in ["alpha", "beta"]}
    offered = [
        {"type": "function", "function": {"name": name, "strict": True, "parameters": schema}}
        for name, schema in functions.items()
    ]
    finished = 0
    for seed in range(40):
        wanted = "required" if seed % 2 else {"type": "function", "function": {"name": "beta"}}
        many = seed % 4 < 2
        choice = noise(client, seed=seed, tools=offered, tool_choice=wanted, parallel_tool_calls=many)
        if choice.finish_reason == "length":
            continue
        finished += 1
        calls = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls" and choice.message.content is None, choice
        assert len(calls) == 1 or many and wanted == "required"
        for call in calls:
            assert wanted == "required" or call.function.name == "beta"
            valid(functions[call.function.name], call.function.arguments)
    assert finished >= 20, finished
    return f"{finished} of 40 finished, all valid"


def streamed(client):
    """A streamed answer is the same text."""
    schema = Schemas(9).object(1)
    format = {"type": "json_schema", "json_schema": {"name": "drawn", "schema": schema}}
    fields = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "x"}], "seed": 3, "response_format": format}
    whole = client.chat.completions.create(**fields).choices[0].message.content
    chunks = client.chat.completions.create(**fields, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole
    return whole[:60]


def refusals(client):
    bomb = {"$defs": {f"d{n}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{n + 1}"}] * 50} for n in range(40)}}
    bomb |= {"$ref": "#/$defs/d0"}
    bomb["$defs"]["d40"] = {"type": "string", "maxLength": 20000}
    deep = {"type": "string"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    bad = [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
        for schema in [deep, {"not": {}}, {"type": "string", "pattern": "(?=x)"}, {"$ref": "#/nowhere"}, {"type": "king"}]
    ]
    bad += [
        {"grammar": text}
        for text in ["root ::= " + "(" * 60_000, "root ::= root", 'root ::= ("x"{20000} "y"){20000}{9}', "root ::= [", "x ::= y"]
    ]
    for fields in bad:
        try:
            noise(client, **fields)
        except openai.BadRequestError as error:
            assert error.param in ["response_format", "grammar"], error
        else:
            raise AssertionError(f"{str(fields)[:200]} was taken")
    # Large, but within the limits or refused: never a failure.
    format = {"type": "json_schema", "json_schema": {"name": "bomb", "schema": bomb}}
    try:
        noise(client, response_format=format)
    except openai.BadRequestError:
        pass
    return f"{len(bad)} refused"


def main():
    with Server(PROGRAM, MODEL) as server:
        client = server.client()
        for check in [schemas, objects, grammars, tools, streamed, refusals]:
            print(f"ok {check.__name__}: {check(client)}", flush=True)
        assert server.stop() == 0


main()
