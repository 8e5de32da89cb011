"""Kills training runs at system calls, or lets one call fail, and compares what the resumed runs write, byte by byte.

    python validation/system_faults.py PATH/TO/ragged [--faults 200] [--seed 0]

Needs strace and the standard library. Each fault hits one call of a run of a random configuration: SIGKILL on entry
to it, or EIO or ENOSPC in its place. A call that fails may end the run with an error, never with a panic. The run is
then resumed without faults and must end with the same bytes as the undisturbed one, or be refused where the
fault came before the first checkpoint. The exit code is 1 otherwise.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kill_runs import configuration, content

KILLED_AT = "openat,write,fsync,fdatasync,rename,unlink,unlinkat,mkdir,ftruncate,close,read,flock,getdents64"
FAILING = "openat,write,fsync,fdatasync,rename,unlink,unlinkat,mkdir,ftruncate"
PANIC = 101


def traced(folder, command, options):
    strace = ["strace", "-f", "-qq", "-o", str(folder / "trace"), *options]
    return subprocess.run(strace + command, cwd=folder, capture_output=True, text=True)


def count_calls(trace):
    """Returns how often the busiest thread makes each call: strace counts the calls of each thread on its own."""
    counts = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        pid, rest = line.split(None, 1)
        if not rest.startswith(("<", "+", "-")):
            counts[pid, rest.split("(")[0]] += 1
    most = Counter()
    for (_, call), count in counts.items():
        most[call] = max(most[call], count)
    return most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ragged", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--faults", type=int, default=200, help="of each kind: kills, EIO, ENOSPC")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, folder = random.Random(args.seed), Path(tempfile.mkdtemp())
    ends, wrong, faults, number = Counter(), 0, 0, 0
    per_configuration = 30
    while faults < 3 * args.faults:
        number += 1
        text, _ = configuration(rng, folder, number)
        (folder / f"{number}.toml").write_text(text)
        train = [args.ragged, "train", "--config", f"{number}.toml", "--out"]
        whole = traced(folder, train + [f"whole{number}"], ["-e", f"trace={KILLED_AT}"])
        if whole.returncode:
            continue
        expected, calls = content(folder / f"whole{number}"), count_calls(folder / "trace")
        for k in range(per_configuration):
            kind = ("signal=SIGKILL", "error=EIO", "error=ENOSPC")[k % 3]
            call = rng.choice([c for c in (KILLED_AT if k % 3 == 0 else FAILING).split(",") if calls[c]])
            at = rng.randint(1, calls[call])
            name = f"run{number}-{k}"
            options = ["-e", f"trace={call}", "-e", f"inject={call}:{kind}:when={at}"]
            found = traced(folder, train + [name], options)
            faults += 1
            run, problem = folder / name, None
            if found.returncode == PANIC or "panicked" in found.stderr:
                problem = f"panic: {found.stderr.strip()[-200:]}"
            elif found.returncode == 0:
                if (run / "summary.json").exists() and content(run) == expected:
                    ends["harmless"] += 1
                else:
                    problem = "exit 0, other bytes"
            elif not run.exists():
                ends["before the run"] += 1
            else:
                resumed = subprocess.run([args.ragged, "train", "--resume", name], cwd=folder, capture_output=True, text=True)
                if resumed.returncode == 0 and content(run) == expected:
                    ends["resumed to the same bytes"] += 1
                elif resumed.returncode == 1 and not list(run.glob("*.safetensors")):
                    ends["before the first checkpoint"] += 1
                else:
                    problem = resumed.stderr.strip()[-200:] or "other bytes"
            if problem:
                wrong += 1
                ends["wrong"] += 1
                print(f"{number}: {kind} at {call} {at} of {calls[call]}, exit {found.returncode}: {problem}")
                print("  " + found.stderr.strip()[-200:])
            shutil.rmtree(run, ignore_errors=True)
        print(f"{number}: {faults} faults, {wrong} wrong", flush=True)
    shutil.rmtree(folder)
    print(f"{faults} faults: " + ", ".join(f"{n} {end}" for end, n in ends.items()))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
