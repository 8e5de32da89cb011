"""Cuts the power of a training run at many points and resumes it from what the disk would then hold.

    python validation/power_loss.py PATH/TO/ragged [--points 500] [--seed 0]

Needs strace and the standard library. A run is recorded with strace: every creation, write, truncation, renaming,
removal and sync below its folder. For a cut after any of these calls, the calls that no sync made durable are kept,
lost, or kept in part: a random subset of the changes of names, and of the blocks of the contents. The run is then
resumed from this folder. It must end with the same bytes as the undisturbed run, or be refused while no checkpoint
was durable. The exit code is 1 otherwise.
"""

import argparse
import itertools
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kill_runs import configuration, content

CALLS = "openat,write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,ftruncate,unlink,unlinkat,rmdir"
CALLS += ",mkdir,mkdirat,lseek,dup,dup2,dup3,fcntl,close,link,linkat,symlink,symlinkat,copy_file_range,mmap"
BLOCK = 4096


def unescape(text):
    return bytes(int(code, 16) for code in re.findall(r"\\x(..)", text))


def calls(lines):
    """Yields (call, arguments, result) in the order in which the calls ended."""
    unfinished = {}
    for line in lines:
        pid, rest = line.rstrip("\n").split(None, 1)
        if rest.endswith("<unfinished ...>"):
            unfinished[pid] = rest.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            rest = unfinished.pop(pid) + resumed.group(1)
        found = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", rest)
        if found:
            yield found.group(1), found.group(2).split(", "), int(found.group(3))


def path(argument, folder):
    """Returns the bytes of a path, from the folder of the descriptor before it where it is relative."""
    name = unescape(argument)
    base = unescape(folder.split("<", 1)[1]) if "<" in folder else b""
    return name if name.startswith(b"/") else base.rstrip(b"/") + b"/" + name


class Recording:
    """The changes that a process made below a folder, as a list of operations.

    The operations are ("name", folder, name, node), where a node of None removes the name; ("move", folder, name,
    folder, name, node); ("write", node, offset, bytes); ("length", node, length); ("sync", node). Node 0 is the folder.
    """

    def __init__(self, lines, root):
        self.root = bytes(root) + b"/"
        self.operations, self.folders, self.names = [], {0: {}}, itertools.count(1)
        files = {}  # descriptor -> [node, offset, append]
        lengths = {}
        for call, arguments, result in calls(lines):
            if result < 0:
                continue
            number = int(re.match(r"\d+", arguments[0]).group()) if arguments[0][:1].isdigit() else None
            if call == "openat":
                self.opened(path(arguments[1], arguments[0]), arguments[2], result, files, lengths)
            elif call in ("mkdir", "mkdirat"):
                at = path(arguments[-2], arguments[0] if call == "mkdirat" else "")
                self.made(at, folder=True)
            elif call in ("rename", "renameat", "renameat2"):
                old = path(*((arguments[0], "") if call == "rename" else (arguments[1], arguments[0])))
                new = path(*((arguments[1], "") if call == "rename" else (arguments[3], arguments[2])))
                self.moved(old, new)
            elif call in ("unlink", "unlinkat", "rmdir"):
                at = path(*((arguments[1], arguments[0]) if call == "unlinkat" else (arguments[0], "")))
                if at.startswith(self.root):
                    folder, name = self.parent(at)
                    self.folders[folder].pop(name)
                    self.operations.append(("name", folder, name, None))
            elif call in ("link", "linkat", "symlink", "symlinkat", "copy_file_range"):
                sys.exit(f"expected no {call} in the recording")
            elif call == "mmap" and "MAP_SHARED" in arguments[3] and "PROT_WRITE" in arguments[2]:
                if re.match(r"\d+", arguments[4]) and int(re.match(r"\d+", arguments[4]).group()) in files:
                    sys.exit("expected no writable mapping of a file of the run")
            elif call in ("dup", "dup2", "dup3") or call == "fcntl" and "F_DUPFD" in arguments[1]:
                if number in files:
                    files[result] = files[number]
            elif call == "close":
                files.pop(number, None)
            elif number in files:
                node, offset, append = files[number]
                if call in ("fsync", "fdatasync"):
                    self.operations.append(("sync", node))
                elif call == "ftruncate":
                    lengths[node] = int(arguments[1])
                    self.operations.append(("length", node, lengths[node]))
                elif call == "lseek":
                    files[number][1] = result
                elif call in ("write", "pwrite64"):
                    at = int(arguments[3]) if call == "pwrite64" else lengths[node] if append else offset
                    text = unescape(arguments[1])[:result]
                    assert len(text) == result, "strace cut a string"
                    self.operations.append(("write", node, at, text))
                    lengths[node] = max(lengths[node], at + result)
                    if call == "write":
                        files[number][1] = at + result

    def parent(self, at):
        *parts, name = at.removeprefix(self.root).rstrip(b"/").split(b"/")
        folder = 0
        for part in parts:
            folder = self.folders[folder][part]
        return folder, name

    def made(self, at, folder):
        if not at.startswith(self.root):
            return None
        parent, name = self.parent(at)
        node = self.folders[parent][name] = next(self.names)
        if folder:
            self.folders[node] = {}
        self.operations.append(("name", parent, name, node))
        return node

    def moved(self, old, new):
        if old.startswith(self.root):
            (folder, name), (to, other) = self.parent(old), self.parent(new)
            node = self.folders[to][other] = self.folders[folder].pop(name)
            self.operations.append(("move", folder, name, to, other, node))

    def opened(self, at, flags, descriptor, files, lengths):
        files.pop(descriptor, None)
        if at.rstrip(b"/") + b"/" == self.root:
            files[descriptor] = [0, 0, False]
        if not at.startswith(self.root) or at == self.root:
            return
        parent, name = self.parent(at)
        node = self.folders[parent].get(name)
        if node is None:
            assert "O_CREAT" in flags, f"{at} is new"
            node = self.made(at, folder=False)
            lengths[node] = 0
        elif "O_TRUNC" in flags and lengths[node]:
            self.operations.append(("length", node, 0))
            lengths[node] = 0
        files[descriptor] = [node, 0, "O_APPEND" in flags]


def subject(operation):
    """Returns the nodes to whose content an operation belongs: a sync of these makes it durable."""
    kind = operation[0]
    return {operation[1], operation[3]} if kind == "move" else {operation[1]}


def disk(operations, count, rng, kept):
    """Returns the folders and contents after a loss of power, where `kept` of what was not durable survives."""
    synced = {}
    for at, operation in enumerate(operations[:count]):
        if operation[0] == "sync":
            synced[operation[1]] = at
    folders, files = {}, {}
    for at, operation in enumerate(operations[:count]):
        kind = operation[0]
        # Both folders of a move have the new names once either of them is synced: file systems keep a journal of such.
        durable = any(at < synced.get(node, -1) for node in subject(operation))
        keep = durable or rng.random() < kept
        if kind == "name" and keep:
            _, folder, name, node = operation
            if node is None:
                folders.get(folder, {}).pop(name, None)
            else:
                folders.setdefault(folder, {})[name] = node
        elif kind == "move" and keep:
            _, folder, name, to, other, node = operation
            folders.get(folder, {}).pop(name, None)
            folders.setdefault(to, {})[other] = node
        elif kind == "length" and keep:
            _, node, length = operation
            files[node] = bytearray(files.get(node, b"")[:length].ljust(length, b"\0"))
        elif kind == "write":
            _, node, offset, text = operation
            file = files.setdefault(node, bytearray())
            for start in range(0, len(text), BLOCK):
                part = text[start : start + BLOCK]
                if durable or rng.random() < kept:
                    end = offset + start + len(part)
                    file.extend(bytes(max(0, end - len(file))))
                    file[end - len(part) : end] = part
    return folders, files


def write(folders, files, is_folder, node, at):
    at.mkdir()
    for name, child in folders.get(node, {}).items():
        target = at / name.decode()
        if child in is_folder:
            write(folders, files, is_folder, child, target)
        else:
            target.write_bytes(files.get(child, b""))


def differences(run, expected):
    """Returns the names of the files of a run that differ from what is expected."""
    files, summary = content(run)
    names = {name for name in files.keys() | expected[0].keys() if files.get(name) != expected[0].get(name)}
    return "differs: " + ", ".join(sorted(names) + ["summary.json"] * (summary != expected[1]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ragged", type=lambda name: str(Path(name).resolve()))
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, ends = random.Random(args.seed), Counter()
    base = Path(tempfile.mkdtemp())
    wrong = points = number = 0
    while points < args.points:
        number += 1
        text, _ = configuration(rng, base, number)
        config = base / f"{number}.toml"
        config.write_text(text)
        root = base / f"disk{number}"
        root.mkdir()
        trace = base / "trace"
        strace = ["strace", "-f", "-y", "-xx", "-s", str(1 << 24), "-e", f"trace={CALLS}", "-o", str(trace)]
        train = [args.ragged, "train", "--config", str(config), "--out", str(root / "runs" / "run")]
        recorded = subprocess.run(strace + train, cwd=base, capture_output=True, text=True)
        if recorded.stderr.startswith("strace:"):
            sys.exit(recorded.stderr)
        if recorded.returncode:
            continue  # A combination that is refused.
        expected = content(root / "runs" / "run")
        with trace.open() as lines:
            recording = Recording(lines, bytes(root))
        operations = recording.operations
        # What a run of the recording writes must be what is on the disk.
        replay = base / "replay"
        write(*disk(operations, len(operations), rng, 1.0), recording.folders, 0, replay)
        same = subprocess.run(["diff", "-r", str(replay), str(root)], capture_output=True)
        if same.returncode:
            sys.exit(f"the recording differs from the folder:\n{same.stdout.decode()[:500]}")
        shutil.rmtree(replay)
        for count in sorted(rng.sample(range(1, len(operations) + 1), min(50, len(operations)))):
            points += 1
            for kept in (1.0, 0.0, rng.random()):
                found = base / "found"
                write(*disk(operations, count, random.Random(points), kept), recording.folders, 0, found)
                run = found / "runs" / "run"
                durable = base / "durable"
                write(*disk(operations, count, rng, 0.0), recording.folders, 0, durable)
                saved = any((durable / "runs" / "run" / f"{name}.safetensors").exists() for name in ("last", "previous"))
                command = [args.ragged, "train", "--resume", str(run)]
                process = subprocess.run(command, cwd=base, capture_output=True, text=True)
                if process.returncode == 0 and content(run) == expected:
                    ends["same bytes"] += 1
                elif process.returncode == 1 and not saved and "panicked" not in process.stderr:
                    ends["refused, no durable checkpoint"] += 1
                else:
                    wrong += 1
                    ends["wrong"] += 1
                    print(f"{number}, cut {count} of {len(operations)}, {kept:.2f} kept, exit {process.returncode}:")
                    print(f"  after {operations[count - 1][:4]}"[:160])
                    print("  " + (differences(run, expected) if process.returncode == 0 else process.stderr.strip()[-300:]))
                shutil.rmtree(found)
                shutil.rmtree(durable)
        print(f"{number}: {len(operations)} operations, {points} cut points, {wrong} wrong", flush=True)
        shutil.rmtree(root)
    shutil.rmtree(base)
    print(f"{points} cut points, 3 disks each: " + ", ".join(f"{n} {end}" for end, n in ends.items()))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
