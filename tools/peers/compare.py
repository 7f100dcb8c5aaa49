"""Takes our figures and the peers' in turn and prints a table.   compare.py ROUNDS NAME=COMMAND… -- MODEL…"""
import json
import os
import statistics
import subprocess
import sys


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        sys.exit(f"{' '.join(command)}: {reason}")
    return json.loads(done.stdout)


def ours(model):
    options = ["--threads", os.environ["THREADS"], "--prompt", os.environ["PROMPT"], "--generate", os.environ["GENERATE"],
               "--repeat", "1", "--no-kernels", "--json"]
    report = measure([os.environ["APUS"], "bench", model] + options)
    return {"prefill": report["prefill_tps"]["median"], "decode": report["decode_tps"]["median"], "report": report}


def main():
    rounds, split = int(sys.argv[1]), sys.argv.index("--")
    peers = [argument.split("=", 1) for argument in sys.argv[2:split]]
    models = sys.argv[split + 1:]
    print("| model | program | prefill tok/s | decode tok/s | apus: prefill | apus: decode |\n|---|---|--:|--:|--:|--:|")
    for model in models:
        found = {name: [] for name in ["apus"] + [name for name, _ in peers]}
        for _ in range(rounds):
            found["apus"].append(ours(model))
            for name, command in peers:
                found[name].append(measure(command.split() + [model, os.environ["THREADS"]]))
        medians = {
            name: [statistics.median(run[key] for run in runs) for key in ("prefill", "decode")]
            for name, runs in found.items()
        }
        for name, (prefill, decode) in medians.items():
            ratios = "" if name == "apus" else "{:.2f}x | {:.2f}x".format(
                medians["apus"][0] / prefill, medians["apus"][1] / decode)
            print(f"| {os.path.basename(model)} | {name} | {prefill:.0f} | {decode:.1f} | {ratios or ' | '} |", flush=True)
        machine = found["apus"][-1]["report"]
    print(f"\n{machine['cpu']}, tier {machine['tier']}, {machine['threads']} threads, medians of {rounds} rounds in turn.")


main()
