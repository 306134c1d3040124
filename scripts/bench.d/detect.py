#!/usr/bin/env python3
"""Scores what `kilter init --dry-run --json` finds in real projects against what they really start. Started by scripts/bench.

The corpus is a folder with `open/<owner>__<repo>/` (the projects' manifests), `truth.tsv` and `score.py`, which says how a
prediction is counted. Two runs: what kilter selects, and what it proposes at all; each as a whole, by ecosystem and by service. Of all
projects together a mark that is missed is a failure.
"""

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


# The names that the truth has for services of the catalog: of all S3 stores one. tests/detect_score.rs reads them, too.
CANONICAL = json.loads((Path(__file__).parent / "canonical.json").read_text())

# What of each run has to be how much, in percent.
MARKS = {"selected": {"precision": 93, "recall strong": 97}, "proposed": {"recall visible": 95}}


def predict(kilter, folder, home):
    """Returns (selected, proposed) of one project, or the last words of a kilter that failed."""
    env = {"PATH": "/usr/bin:/bin", "HOME": home, "NO_COLOR": "1"}
    argv = [kilter, "init", "--dry-run", "--json", "--no-input"]
    done = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    if done.returncode != 0:
        return done.stderr.decode(errors="replace").strip().splitlines()[:1] or [f"exit status {done.returncode}"]
    services = [(CANONICAL.get(s["name"], s["name"]), s["selected"]) for s in json.loads(done.stdout)["services"]]
    return ([name for name, selected in services if selected], [name for name, _ in services])


def scorer_of(corpus):
    """Returns the corpus' own score.py as a module: what counts as right is its business."""
    spec = importlib.util.spec_from_file_location("score", corpus / "score.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def only(scorer, row, service):
    """Returns a row of the truth as if there were no other service."""
    kept = lambda texts: [text for text in texts if scorer.fam(text.split("=", 1)[0]) == service]
    parts = lambda text: [] if text == "-" else text.split("; ")
    found = {column: "; ".join(kept(parts(row[column]))) or "-" for column in ("visible_strong", "visible_weak", "optional", "decoys")}
    return {**row, **found, "truth": " ".join(kept(row["truth"].split()))}


def by_service(scorer, predictions):
    """Prints precision and recall of one service after another; the names of one protocol (redis, valkey) are one. Where a project takes one of
    two, the other counts as not found here."""
    rows = [row for row in scorer.load() if row["repo"] in predictions]
    named = [name for row in rows for name in row["truth"].split()] + [name for names in predictions.values() for name in names]
    share = lambda part, whole: f"{100 * part / whole:5.1f} % ({part} of {whole})" if whole else "-"
    for service in sorted({scorer.fam(name) for name in named}):
        own = {repo: [name for name in names if scorer.fam(name) == service] for repo, names in predictions.items()}
        count, hit = scorer.score([only(scorer, row, service) for row in rows], own)
        if count["tp"] + count["fp"] + hit["all"][1] == 0:
            continue
        print(f"  {service:14} precision {share(count['tp'], count['tp'] + count['fp']):18} recall of strong evidence {share(*hit['strong']):18} of all {share(*hit['all'])}")


def shares(scorer, predictions):
    """Returns what the marks are about, in percent."""
    count, hit = scorer.score([row for row in scorer.load() if row["repo"] in predictions], predictions)
    share = lambda part, whole: 100 * part / whole if whole else 100
    precision = share(count["tp"], count["tp"] + count["fp"])
    return {"precision": precision, "recall strong": share(*hit["strong"]), "recall visible": share(*hit["visible"])}


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
        scorer, missed = scorer_of(options.corpus), []
        for title, predictions in (("selected", selected), ("proposed", proposed)):
            file = Path(scratch) / f"{title}.json"
            file.write_text(json.dumps(predictions))
            print(f"{title} (marks: {', '.join(f'{what} ≥ {mark} %' for what, mark in MARKS[title].items())})", flush=True)
            score = [sys.executable, "-B", str(options.corpus / "score.py"), str(file)]
            subprocess.run(score, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
            by_service(scorer, predictions)
            reached = shares(scorer, predictions)
            missed += [f"{title}: {what} {reached[what]:.1f} %, of at least {mark} %" for what, mark in MARKS[title].items() if reached[what] < mark]
    print(f"{len(selected)} projects in {took:.1f} s")
    for repo, why in failed:
        print(f"failed: {repo}: {why}")
    # The marks are those of all projects.
    missed = [] if options.ecosystems else missed
    for what in missed:
        print(f"missed: {what}")
    return 1 if failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
