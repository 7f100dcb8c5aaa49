"""Servers to measure: Apus and llama.cpp's, each with two threads and its prefix cache off."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APUS = os.environ.get("APUS", os.path.join(ROOT, ".build/release/apus"))
PEERS = os.environ.get("APUS_PEERS", os.path.expanduser("~/.cache/apus-peers"))
LLAMA = os.environ.get("LLAMA_SERVER", os.path.join(PEERS, "llama-server"))
FOLDER = os.environ.get("APUS_TEST_MODELS", os.path.expanduser("~/.cache/apus-test-models"))
THREADS = os.environ.get("THREADS", "2")
NAMES = {
    "smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "0.5b": "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
    "1.5b": "Qwen2.5-Coder-1.5B-Instruct.Q4_K_M.gguf",
}


def path(model):
    """The file of a model named by NAMES, or the path given."""
    found = os.path.join(FOLDER, NAMES[model]) if model in NAMES else model
    if not os.path.exists(found):
        raise SystemExit(f"{found} is missing (tools/test-data --all fetches it)")
    return found


def apus(model, context, contexts, *arguments):
    return [APUS, "serve", model, "--threads", THREADS, "--context", str(context), "--contexts", str(contexts), *arguments]


def llama(model, context, contexts, *arguments):
    return [LLAMA, "-m", model, "-t", THREADS, "-tb", THREADS, "-np", str(contexts), "-c", str(context * contexts),
            "--no-webui", "--no-cache-prompt", "--cache-ram", "0", *arguments]


def get(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def metrics(url):
    """The sums of /metrics by name."""
    sums = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", get(url + "/metrics"), re.M):
        sums[name] = sums.get(name, 0) + float(value)
    return sums


def machine_seconds():
    """Seconds that all cores together were busy, or taken by the hypervisor."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, stolen = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")


def undisturbed(server, run, limit=float(os.environ.get("QUIET", "0.1")), attempts=20):
    """The result of `run`, whose key `seconds` says how long it took and `load_share_of_core` what the load took of it.

    It is repeated while other programs or the hypervisor take more than `limit` of a core beside it; their share is added as
    `others_share_of_core`.
    """
    for _ in range(attempts):
        before = machine_seconds() - server.cpu_seconds()
        result = run()
        others = (machine_seconds() - server.cpu_seconds() - before) / result["seconds"] - result["load_share_of_core"]
        if others <= limit:
            return result | {"others_share_of_core": max(others, 0)}
        print(f"bench-serve: other programs took {others:.2f} of a core; measuring again", file=sys.stderr, flush=True)
        time.sleep(5)
    raise SystemExit("the machine is too busy to measure: stop other programs")


class Server:
    """A running server: its address `url` and its process id `pid`."""

    def __init__(self, command):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.process = subprocess.Popen([*command, "--port", str(port)], stdout=self.log, stderr=self.log)
        self.pid = self.process.pid
        deadline = time.time() + 120
        while not self.is_ready():
            if self.process.poll() is not None or time.time() > deadline:
                self.log.seek(0)
                self.process.kill()
                raise SystemExit(f"{' '.join(command)} did not start:\n{self.log.read()[-2000:]}")
            time.sleep(0.1)

    def is_ready(self):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            get(self.url + "/health", timeout=5)
            return True
        return False

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
