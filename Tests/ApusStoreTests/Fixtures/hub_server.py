"""A server that speaks the hub's paths, for tests: file list, redirects to a storage host, ranges, faults.

Usage: hub_server.py   (prints "PORT STORAGE_PORT" once both ports listen, serves until its input ends)

What the repository `org/NAME` does is chosen by NAME, see FAULTS. Requests are logged to standard output, one line each:
    METHOD HOST PATH range=… token=…
"""
import hashlib, http.server, json, socket, struct, sys, threading
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(40_000))  # 1.28 MB, incompressible
CONFIG = b'{"model_type": "llama"}'
state = {}
lock = threading.Lock()


def count(key):
    with lock:
        state[key] = state.get(key, 0) + 1
        return state[key]


def log(handler, host):
    with lock:
        print(handler.command, host, handler.path, "range=" + handler.headers.get("Range", "-"),
              "token=" + handler.headers.get("Authorization", "-").replace("Bearer ", ""), flush=True)


def files(name):
    if name == "folder":
        return {"config.json": CONFIG, "model.safetensors": MODEL, "README.md": b"read me", "onnx/model.onnx": b"no"}
    if name == "several":
        return {"a-q4_k_m.gguf": MODEL, "a-q8_0.gguf": MODEL[:1000]}
    if name == "split":
        half = len(MODEL) // 2
        return {"m-q4_0-00001-of-00002.gguf": MODEL[:half], "m-q4_0-00002-of-00002.gguf": MODEL[half:]}
    if name == "climbing":
        return {"../../escape.gguf": MODEL}
    return {"model with space.gguf": MODEL}


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        log(self, "hub")
        parts = unquote(urlsplit(self.path).path).split("/")
        if parts[1:3] == ["api", "models"]:
            return self.api(parts[4], "/".join(parts[6:]))
        return self.resolve(parts[2], parts[4], "/".join(parts[5:]))

    def api(self, name, revision):
        token = self.headers.get("Authorization")
        if name == "gated":
            return self.reply(403 if token else 401, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted")
        if name == "private" and token != "Bearer hf_secret":
            return self.reply(401, X_Error_Code="RepoNotFound")
        if name == "missing":
            return self.reply(404, X_Error_Code="RepoNotFound")
        if revision not in ("main", "v1/x"):
            return self.reply(404, X_Error_Code="RevisionNotFound")
        if name == "busy" and count("busy") < 3:
            return self.reply(503, Retry_After="0")
        if name == "garbage":
            return self.reply(200, b'{"siblings": 5}')
        if name == "old-name":
            return self.reply(307, Location="/api/models/org/plain/revision/main?blobs=true")
        siblings = []
        for path, content in files(name).items():
            sibling = {"rfilename": path, "size": len(content)}
            if len(content) > 100 and name != "no-hashes":
                sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(sibling)
        body = {"sha": COMMIT, "siblings": siblings, "cardData": {"license": ["mit"] if name == "folder" else "apache-2.0"}}
        return self.reply(200, json.dumps(body).encode())

    def resolve(self, name, revision, path):
        content = files("plain" if name == "old-name" else name).get(path)
        if content is None or revision != COMMIT:
            return self.reply(404, X_Error_Code="EntryNotFound")
        if len(content) < 100:
            return self.reply(200, content, ETag='"0123"')
        target = f"http://127.0.0.1:{storage.server_port}/blob/{name}/{path.replace(' ', '%20')}?signature=x"
        if name == "loop":
            target = self.path
        return self.reply(302, Location=target, X_Linked_Size=str(len(content)),
                          X_Linked_Etag='"%s"' % hashlib.sha256(content).hexdigest())


class Storage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        log(self, "storage")
        parts = unquote(urlsplit(self.path).path).split("/")
        name, content = parts[2], files(parts[2])["/".join(parts[3:])]
        start = 0
        ranges = self.headers.get("Range")
        if ranges and name != "no-ranges":
            start = int(ranges[len("bytes="):].split("-")[0])
            if start >= len(content) or name == "range-refused" and count(name) == 1:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if name == "wrong-range":
                start = start // 2
        body = content[start:]
        if name == "wrong-bytes":
            body = bytes(len(body))
        if name == "too-many":
            body += b"more"
        self.send_response(206 if ranges and name != "no-ranges" else 200)
        if ranges and name != "no-ranges":
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        attempt = count(("attempt", name))
        if name in ("dropping", "no-ranges", "wrong-range", "range-refused") and attempt <= 2 or name == "always-dropping":
            self.wfile.write(body[:300_000] if name != "always-dropping" or attempt == 1 else b"")
            self.wfile.flush()
            return self.abort(is_clean=name in ("dropping", "always-dropping"))
        if name == "stalling" and attempt == 1:
            self.wfile.write(body[:1000])
            self.wfile.flush()
            return stopped.wait()
        self.wfile.write(body)

    def abort(self, is_clean):
        # A clean end too early, or a reset, as a broken route gives.
        if not is_clean:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_WR) if is_clean else self.connection.close()
        self.close_connection = True
        self.rfile = self.wfile = open("/dev/null", "r+b")


stopped = threading.Event()
hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
storage = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Storage)
for server in (hub, storage):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(hub.server_port, storage.server_port, flush=True)
sys.stdin.read()
