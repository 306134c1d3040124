"""Runs a program and says what it cost: wall and CPU time, peak memory, processes started, files opened."""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """What one run of a program cost."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, with the processes it waited for
    rss: int  # bytes, peak of the program alone
    out: bytes


def run(argv, env, cwd):
    """Runs a program to its end; returns its Cost. A program that fails ends the bench with what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        peak = _watch(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            said = err.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"bench: `{' '.join(map(str, argv))}` ended with {child.returncode}:\n{said}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, peak(), out.read())


@dataclass
class Heard:
    """What one run of a program that talks meanwhile cost."""

    first: float  # seconds until it said anything
    wall: float  # seconds
    rss: int  # bytes, peak of the program alone
    said: str


def hear(argv, env, cwd):
    """Runs a program to its end and hears what it says on both outputs; returns a Heard. One that fails ends the bench."""
    began = time.monotonic()
    pipe = subprocess.PIPE
    child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT)
    peak = _watch(child.pid)
    try:
        said = os.read(child.stdout.fileno(), 65536)
        first = time.monotonic() - began
        said += child.stdout.read()
        child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    wall = time.monotonic() - began
    text = said.decode(errors="replace")
    if child.returncode != 0:
        raise SystemExit(f"bench: `{' '.join(map(str, argv))}` ended with {child.returncode}:\n{text[-4000:]}")
    return Heard(first, wall, peak(), text)


def _watch(pid):
    """Follows the program's own high-water mark. rusage would give that of its largest child, or of this process, from
    which it was forked. Returns a function that gives the last value seen, in bytes."""
    seen = [0]

    def follow():
        try:
            with open(f"/proc/{pid}/status", "rb", buffering=0) as status:
                while True:
                    status.seek(0)
                    found = re.search(rb"VmHWM:\s+(\d+) kB", status.read(4096))
                    if not found:
                        return
                    seen[0] = max(seen[0], int(found[1]) * 1024)
                    time.sleep(0.001)
        except OSError:
            return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()

    def last():
        thread.join(1)
        return seen[0]

    return last


@dataclass
class Trace:
    """What strace saw of one run, in the program and everything it started."""

    programs: list  # the path of each program started, the first one included
    opened: list  # the path of each file that was opened, in order


# The loader's and the C library's own: no choice of the program. glibc reads the maps to find the main thread's stack, which
# Rust's runtime asks for at start.
LOADER = re.compile(r"^(/etc/ld\.so\.|(/usr)?/lib(32|64)?/|/proc/self/maps$)")


def trace(argv, env, cwd):
    """Runs a program under strace; returns a Trace, or None where strace is missing or may not look."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile(mode="r", errors="replace") as log:
        calls = "trace=execve,open,openat,openat2,creat"
        strace = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-s", "4096", "-o", log.name, "--"]
        done = subprocess.run(strace + argv, env={**env, "PATH": os.environ["PATH"]}, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            return None
        programs, opened = [], []
        for line in log:
            call = re.match(r'\d+ +(\w+)\(.*?"([^"]*)".*\) = \d+', line)
            if call and call[1] == "execve":
                programs.append(call[2])
            elif call:
                opened.append(call[2])
        return Trace(programs, opened)


def started(argv, env, cwd):
    """Runs a program under strace; returns the path of each program that it, and what it starts, has started. None where
    strace is missing or may not look."""
    program = shutil.which("strace")
    if not program:
        return None
    with tempfile.TemporaryDirectory() as logs:
        # A log for each process: nothing is interleaved.
        strace = [program, "-ff", "-qq", "-e", "trace=execve", "-e", "signal=none", "-s", "4096", "-o", f"{logs}/p", "--"]
        done = subprocess.run(strace + argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            return None
        programs = []
        for log in os.listdir(logs):
            with open(os.path.join(logs, log), errors="replace") as lines:
                programs += re.findall(r'^execve\("([^"]*)".*\) = 0$', lines.read(), re.M)
        programs.remove(argv[0])
        return programs


def median(numbers):
    """The median of numbers."""
    return statistics.median(numbers)


def table(rows):
    """Prints rows of cells as a Markdown table; the first row is its heading."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
