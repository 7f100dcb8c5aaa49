"""Runs a program and writes, as JSON, how it ended and the most memory it had: measured.py RESULT PROGRAM ARGUMENT...

A process of its own, since the peak that `wait4` tells starts with what the spawning process had resident.
"""

import json
import os
import re
import sys
import time

result, program = sys.argv[1], sys.argv[2:]
child = os.posix_spawn(program[0], program, os.environ)
anonymous = 0
while True:
    ended, status, usage = os.wait4(child, os.WNOHANG)
    if ended:
        break
    with open(f"/proc/{child}/status") as file:
        found = re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.MULTILINE)
    if found:
        anonymous = max(anonymous, int(found[1]) * 1024)
    time.sleep(0.001)
with open(result, "w") as file:
    json.dump({"status": status, "peakResident": usage.ru_maxrss * 1024, "peakAnonymous": anonymous}, file)
