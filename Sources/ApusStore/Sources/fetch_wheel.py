"""Fetches a wheel through pip, going on where an earlier run stopped: fetch_wheel.py PACKAGE==VERSION FILE

pip finds the wheel and lends its connection (mirrors, credentials, proxies, certificates); no source packages, no
dependencies, and nothing of the package is run. `pip download` itself throws away what an interrupted run received, so the
bytes are asked for here, from the end of FILE on. pip doesn't promise the names used for that: where they have moved, pip
downloads from the start.
"""
import os
import shutil
import subprocess
import sys
import time

ATTEMPTS = 5
OPTIONS = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]


def main(requirement, path):
    try:
        session, address = find(requirement)
    except (ImportError, AttributeError, TypeError):
        return download_whole(requirement, path)
    failures = 0
    while True:
        before = size(path)
        try:
            return receive(session, address, path)
        except OSError as error:  # what requests and sockets raise
            failures = 1 if size(path) > before else failures + 1
            if failures == ATTEMPTS or not passes(error):
                raise
            time.sleep(2 ** failures / 4)


def find(requirement):
    """pip's session and the address of the best wheel."""
    from pip._internal.commands import create_command
    from pip._vendor.packaging.requirements import Requirement

    command = create_command("download")
    options, _ = command.parse_args(OPTIONS + [requirement])
    session = command._build_session(options)
    finder = command._build_package_finder(options, session)
    wanted = Requirement(requirement)
    best = finder.find_best_candidate(wanted.name, wanted.specifier).best_candidate
    if best is None:
        sys.exit("ERROR: no wheel of %s found: is the package index reachable, and this Python supported?" % requirement)
    return session, best.link.url_without_fragment


def receive(session, address, path):
    """Appends what is missing of the wheel to the file."""
    start = size(path)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = "bytes=%d-" % start
    with session.get(address, headers=headers, stream=True) as response:
        if response.status_code == 416:
            if response.headers.get("Content-Range") == "bytes */%d" % start:
                return
            os.remove(path)
            raise OSError("the server refused to go on where the download stopped")
        response.raise_for_status()
        goes_on = response.headers.get("Content-Range", "").startswith("bytes %d-" % start)
        with open(path, "ab" if response.status_code == 206 and goes_on else "wb") as file:
            if response.status_code == 206 and not goes_on:
                raise OSError("the server sent another range than asked for")
            expected = int(response.headers.get("Content-Length", 0)) + file.tell()
            # Parts that are already decoded or chunked come through as they are: ranges count them so.
            for part in iter(lambda: response.raw.read(1 << 18), b""):
                file.write(part)
            if file.tell() < expected:
                raise OSError("the connection ended after %d of %d bytes" % (file.tell(), expected))


def passes(error):
    """Whether another try may help: not where the disk is full or the server knows no such file."""
    status = getattr(getattr(error, "response", None), "status_code", 500)
    return error.errno is None and status >= 500


def download_whole(requirement, path):
    folder = path + ".pip"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pip = [sys.executable, "-m", "pip", "download", "--dest", folder]
    # pip's temporary files lie beside, not on a disk of another size.
    status = subprocess.call(pip + OPTIONS + [requirement], env=dict(os.environ, TMPDIR=folder))
    for name in os.listdir(folder):
        if name.endswith(".whl"):
            os.replace(os.path.join(folder, name), path)
    shutil.rmtree(folder)
    sys.exit(status)


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


try:
    main(*sys.argv[1:])
except Exception as error:
    sys.exit("ERROR: %s" % error)
