#!/usr/bin/env python3
"""Measures `kilter render` beside bare helm and helmfile, in one run; prints a Markdown table. Started by scripts/bench."""

import argparse
import math
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import project  # noqa: E402
from measure import LOADER, median, run, table, trace  # noqa: E402

MIB = 1024 * 1024


class Bench:
    """The project, the programs and their environments."""

    def __init__(self, options, root):
        self.options = options
        self.root = root / "project"
        self.home = root / "home"
        self.root.mkdir()
        self.home.mkdir()
        project.write(self.root, options.services)
        self.names = project.names(options.services)
        self.helm_env = project.helm_environment(self.home)
        # helmfile starts the `helm` that PATH finds.
        tools = root / "bin"
        tools.mkdir()
        (tools / "helm").symlink_to(options.helm)
        self.helmfile_env = {
            **self.helm_env,
            "PATH": f"{tools}:/usr/bin:/bin",
            "HELMFILE_CACHE_HOME": str(self.home / "helmfile"),
            "HELMFILE_UPGRADE_NOTICE_DISABLED": "true",
        }
        del self.helmfile_env["HELM_NO_PLUGINS"]
        self.kilter_env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "KILTER_CACHE_DIR": str(self.home / "kilter"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "KILTER_HELM": options.helm,
            "NO_COLOR": "1",
        }

    def kilter(self, *arguments):
        return run([self.options.kilter, *arguments], self.kilter_env, self.root)

    def trace(self, *arguments):
        return trace([self.options.kilter, *arguments], self.kilter_env, self.root)

    def forget(self):
        """Deletes everything kilter keeps, its tools apart: the next render is a cold one."""
        cache = self.home / "kilter"
        for entry in cache.iterdir() if cache.is_dir() else ():
            if entry.name != "tools":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.rmtree(self.home / "state", ignore_errors=True)
        (self.root / "kilter.lock").unlink(missing_ok=True)

    def bare(self):
        """All services by `helm template`, one after another; returns the wall seconds and what it printed."""
        costs = [run(project.helm_command(self.options.helm, name), self.helm_env, self.root) for name in self.names]
        return sum(cost.wall for cost in costs), [cost.out for cost in costs]

    def helmfile(self):
        # --skip-deps: its charts have no dependencies, and asking helm about each would cost it a process more.
        argv = [self.options.helmfile, "--quiet", "template", "--skip-deps", "--include-crds", "--skip-tests"]
        return run(argv, self.helmfile_env, self.root)


def cold(bench):
    """Cold renders, beside the others, in rounds; the same files are warm for all."""
    rounds = []
    documents = bench.helmfile().out.count(b"\n# Source: ")
    for _ in range(bench.options.rounds):
        bench.forget()
        kilter = bench.kilter("render")
        bare, printed = bench.bare()
        rounds.append((kilter.wall, bare, bench.helmfile().wall, kilter.rss))
    same(bench, printed, documents)
    return rounds


def same(bench, printed, documents):
    """The comparison counts only if all rendered the same: kilter the same bytes, helmfile as many documents."""
    wanted = sum(out.count(b"# Source: ") for out in printed)
    if documents != wanted:
        raise SystemExit(f"bench: helmfile rendered {documents} documents, helm {wanted}")
    for name, expected in zip(bench.names, printed):
        manifest = bench.home / "kilter" / "bench" / "manifests" / f"{name}.yaml"
        if manifest.read_bytes() != expected:
            raise SystemExit(f"bench: {manifest} is not what `helm template` prints")


def cold_rows(bench, rounds):
    count = bench.options.services
    cores = len(os.sched_getaffinity(0))
    waves = math.ceil(count / cores)
    kilter, bare, helmfile, rss = zip(*rounds)
    one = median(bare) / count
    return [
        [f"`helm template`, one after another, {count} charts", f"{median(bare):.2f} s ({one * 1000:.0f} ms each)", ""],
        ["`helmfile template`", f"{median(helmfile):.2f} s", ""],
        ["`kilter render`, cold", f"{median(kilter):.2f} s", ""],
        ["… ratio to helm, one after another", f"{median([k / b for k, b in zip(kilter, bare)]):.2f}", ""],
        [
            f"… ratio to {waves} × one `helm template` ({cores} cores)",
            f"{median([k / (b / count * waves) for k, b in zip(kilter, bare)]):.2f}",
            "≤ 1.15",
        ],
        ["… ratio to helmfile", f"{median([k / h for k, h in zip(kilter, helmfile)]):.2f}", "< 1"],
        ["… peak memory of kilter", f"{max(rss) / MIB:.1f} MiB", "≤ 30 MB"],
    ]


def helm_processes(traced, helm):
    """The helm processes of a Trace; `?` without one."""
    if traced is None:
        return "?"
    return sum(1 for path in traced.programs if os.path.realpath(path) == os.path.realpath(helm))


def unchanged_rows(bench):
    bench.kilter("render")
    rounds = range(bench.options.rounds * 4)
    costs = [bench.kilter("render") for _ in rounds]
    version = [run([bench.options.helm, "version", "--short"], bench.helm_env, bench.root).cpu for _ in rounds]
    traced = bench.trace("render")
    cpu = median([cost.cpu for cost in costs])
    rows = [
        ["`kilter render`, nothing changed: helm processes", helm_processes(traced, bench.options.helm), "0"],
        ["… CPU", f"{cpu * 1000:.1f} ms", "≤ 10 ms"],
        ["… CPU against one `helm version`", f"{cpu / median(version):.2f}", ""],
        ["… peak memory", f"{max(cost.rss for cost in costs) / MIB:.1f} MiB", "≤ 30 MB"],
    ]
    if traced:
        own = [path for path in traced.opened if not LOADER.match(path)]
        rows.append(["… files opened (without the loader's)", len(own), ""])
    return rows


def one_changed_rows(bench):
    walls, bares = [], []
    # Another service each round: one that was rendered with this value before comes from the cache.
    *measured, last = bench.names[-bench.options.rounds - 1 :]
    for name in measured:
        project.write_kilter_yaml(bench.root, bench.options.services, name)
        walls.append(bench.kilter("render").wall)
        bares.append(run(project.helm_command(bench.options.helm, name), bench.helm_env, bench.root).wall)
    project.write_kilter_yaml(bench.root, bench.options.services, last)
    traced = bench.trace("render")
    extra = median([wall - bare for wall, bare in zip(walls, bares)])
    return [
        ["`kilter render`, one service changed: helm processes", helm_processes(traced, bench.options.helm), "1"],
        ["… beyond one `helm template`", f"{extra * 1000:.0f} ms", "≤ 10 ms"],
    ]


def program_rows(bench):
    costs = [bench.kilter("--version") for _ in range(bench.options.rounds * 4)]
    traced = bench.trace("--version")
    touched = "?" if traced is None else len([path for path in traced.opened if not LOADER.match(path)])
    return [
        ["`kilter --version`: CPU", f"{median([cost.cpu for cost in costs]) * 1000:.1f} ms", "≤ 5 ms"],
        ["… files opened (without the loader's)", touched, "0"],
        ["the `kilter` binary", f"{os.path.getsize(bench.options.kilter) / 1e6:.1f} MB", "≤ 12 MB"],
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilter", required=True)
    parser.add_argument("--helm", required=True)
    parser.add_argument("--helmfile", required=True)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.rounds >= options.services:
        parser.error("--rounds must be less than --services")
    with tempfile.TemporaryDirectory(prefix="kilter-bench-") as scratch:
        bench = Bench(options, Path(scratch))
        rows = [["what", "measured", "mark"]]
        rows += cold_rows(bench, cold(bench))
        rows += unchanged_rows(bench)
        rows += one_changed_rows(bench)
        rows += program_rows(bench)
    table(rows)


if __name__ == "__main__":
    main()
