"""`apus serve` as a process, for the checks beside this file."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import openai


class Server:
    """A running server on a port of its own."""

    def __init__(self, program, model, *arguments, context=2048):
        self.process = subprocess.Popen(
            [program, "serve", model, "--port", "0", "--context", str(context), *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self.port = None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"at http://\S*:(\d+)$", line):
                self.port = int(found[1])
                break
        if self.port is None:
            raise AssertionError("the server did not start: " + "".join(self.lines))
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def client(self, key="any"):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=120)

    def get(self, path, headers={}, data=None, method=None):
        """Status, headers and body of a request."""
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def post(self, path, body, headers={}):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.get(path, {"content-type": "application/json", **headers}, data)

    def raw(self, data, timeout=10, shut=False):
        """What comes back for bytes as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            answer = b""
            try:
                connection.sendall(data)
                if shut:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
            except (TimeoutError, ConnectionError):
                pass
            return answer

    def metric(self, name):
        text = self.get("/metrics")[2].decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line))

    def idle(self):
        """Waits until nothing is under way."""
        until(lambda: not self.metric("apus_answers_in_flight") and not self.metric("apus_engine_running"))

    def stop(self, signal_number=signal.SIGTERM):
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)


def until(condition):
    """Waits until something is so."""
    deadline = time.time() + 60
    while not condition():
        assert time.time() < deadline, "waited for 60 seconds"
        time.sleep(0.01)
