"""Serves a folder of wheels to pip, for tests: index_server.py FOLDER

Prints its port, then one line per request for a wheel: NAME range=…; serves until its input ends. A file FOLDER/faults
holds what happens to the next requests for wheels, a word each: `half` breaks off in the middle, `stall` stops there
without a word, `missing` is status 404.
"""
import http.server, os, sys, threading, time

folder = sys.argv[1]


def fault():
    path = os.path.join(folder, "faults")
    words = open(path).read().split() if os.path.exists(path) else []
    if words:
        with open(path, "w") as file:
            file.write(" ".join(words[1:]))
    return words[0] if words else None


class Index(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.lstrip("/")
        if not name:
            names = [name for name in os.listdir(folder) if name.endswith(".whl")]
            page = "".join(f'<a href="{name}">{name}</a>' for name in names).encode()
            return self.reply(200, page, {"Content-Type": "text/html"})
        wanted = self.headers.get("Range", "")
        print(name, "range=" + wanted, flush=True)
        what = fault()
        if what == "missing":
            return self.reply(404, b"")
        content = open(os.path.join(folder, name), "rb").read()
        start = int(wanted[len("bytes="):-1]) if wanted else 0
        if start >= len(content):
            return self.reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        place = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        rest = content[start:]
        self.reply(206 if start else 200, rest, place, send=rest[: len(rest) // 2] if what else rest)
        if what == "stall":
            time.sleep(600)

    def reply(self, status, body, headers={}, send=None):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if send is None else send)
        self.wfile.flush()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
server.daemon_threads = True
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
