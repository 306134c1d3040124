#!/usr/bin/env python3
"""Scores what `kilter init --dry-run --json` finds in real projects against what they really start. Started by scripts/bench.

The corpus is a folder with `open/<owner>__<repo>/` (the projects' manifests), `truth.tsv` and `score.py`, which says how a
prediction is counted. Two runs: what kilter selects, and what it proposes at all.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


# The name that the truth has for a service of the catalog: of all S3 stores one.
CANONICAL = {"garage": "minio", "rustfs": "minio"}


def predict(kilter, folder, home):
    """Returns (selected, proposed) of one project, or the last words of a kilter that failed."""
    env = {"PATH": "/usr/bin:/bin", "HOME": home, "NO_COLOR": "1"}
    argv = [kilter, "init", "--dry-run", "--json", "--no-input"]
    done = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    if done.returncode != 0:
        return done.stderr.decode(errors="replace").strip().splitlines()[:1] or [f"exit status {done.returncode}"]
    services = [(CANONICAL.get(s["name"], s["name"]), s["selected"]) for s in json.loads(done.stdout)["services"]]
    return ([name for name, selected in services if selected], [name for name, _ in services])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilter", required=True)
    parser.add_argument("--corpus", required=True, type=Path)
    parser.add_argument("--ecosystems", default="", help="score these only, separated by commas (default: all)")
    options = parser.parse_args()
    with open(options.corpus / "truth.tsv", encoding="utf8") as truth:
        ecosystems = {row["repo"]: row["ecosystem"] for row in csv.DictReader(truth, delimiter="\t", quoting=csv.QUOTE_NONE)}
    selected, proposed, failed = {}, {}, []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kilter-bench-") as scratch:
        for folder in sorted((options.corpus / "open").iterdir()):
            repo = folder.name.replace("__", "/", 1)
            if options.ecosystems and ecosystems[repo] not in options.ecosystems.split(","):
                continue
            found = predict(options.kilter, folder, scratch)
            if isinstance(found, tuple):
                selected[repo], proposed[repo] = found
            else:
                failed.append((repo, found[0]))
        took = time.monotonic() - began
        for title, predictions, marks in (
            ("selected", selected, "precision ≥ 93 %, recall strong ≥ 97 %"),
            ("proposed", proposed, "recall visible ≥ 95 %"),
        ):
            file = Path(scratch) / f"{title}.json"
            file.write_text(json.dumps(predictions))
            print(f"{title} (marks: {marks})", flush=True)
            score = [sys.executable, "-B", str(options.corpus / "score.py"), str(file)]
            subprocess.run(score, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    print(f"{len(selected)} projects in {took:.1f} s")
    for repo, why in failed:
        print(f"failed: {repo}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
