#!/usr/bin/env python3
"""Measures `kilter up` on the test bed beside Tilt with a Tiltfile written by hand that uses Tilt's own helm() for the same
charts, values and image, in one run; prints a Markdown table. Started by scripts/bench, within the bed's network.

Both build with docker's layers of the dependencies in place and with the services' images on the node. Before each cold run a
file of the project changes, so that both build, push and pull a layer.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from measure import hear, median, run, started, table  # noqa: E402

MIB = 1024 * 1024
NAME = "kilter-bench"
NAMESPACE = f"{NAME}-dev"
CONTEXT = "kilter-bed"
REGISTRY = "localhost:5010"
SERVICES = ("postgres", "redis")
RESOURCES = ("app", *SERVICES)
HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# Seconds; far above what anything here takes.
HANGS_AFTER = 180

YAML = f"""name: {NAME}
services: [{", ".join(SERVICES)}]
cluster: {{provider: context, context: {CONTEXT}, registry: "{REGISTRY}"}}
"""

# Runs in the app's container, and says each content of the marker as soon as it is there.
READER = """
const fs = require('fs');
let last = '';
function tell() {
  let text = '';
  try { text = fs.readFileSync('/app/marker.txt', 'utf8'); } catch { return; }
  if (text !== last && text.endsWith('\\n')) { last = text; process.stdout.write(text); }
}
fs.watch('/app', tell);
process.stdout.write('watching\\n');
tell();
"""


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def resident(pid):
    """The memory that a process holds now, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"bench: process {pid} is gone")


class Bed:
    """The project, in two places, and the programs."""

    def __init__(self, options, root):
        self.options = options
        self.root = root
        self.shop = root / NAME
        self.hand = root / "by-hand"
        self.artifacts = root / "cache" / NAME
        self.helm = os.path.realpath(options.helm)
        tools = root / "bin"
        for made in (root / "home", root / "state", self.hand, tools):
            made.mkdir()
        (tools / "helm").symlink_to(options.helm)
        shutil.copytree(REPOSITORY / "tests/fixtures/projects/shop", self.shop)
        (self.shop / "kilter.yaml").write_text(YAML)
        self.env = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "HOME": str(root / "home"),
            "KUBECONFIG": options.kubeconfig,
            "DOCKER_HOST": options.docker,
            "DO_NOT_TRACK": "1",
            "TILT_DISABLE_ANALYTICS": "1",
            "NO_COLOR": "1",
        }
        self.kilter_env = {
            **self.env,
            "KILTER_CACHE_DIR": str(root / "cache"),
            "XDG_STATE_HOME": str(root / "state"),
            "KILTER_HELM": options.helm,
            "KILTER_TILT": options.tilt,
            "KILTER_KUBECTL": options.kubectl,
        }
        self.tilt_env = {**self.env, "TILT_DEV_DIR": str(root / "tilt-dev")}
        self.number = 0

    def kubectl(self, *arguments):
        argv = [self.options.kubectl, "--namespace", NAMESPACE, *arguments]
        return run(argv, self.env, self.root).out.decode()

    def kilter(self, *arguments):
        return hear([self.options.kilter, *arguments], self.kilter_env, self.shop)

    def prepare(self):
        """Has kilter write its artifacts, gives their inputs to the project by hand, and builds the image once."""
        self.kilter("render")
        shutil.copy(HERE / "tilt" / "Tiltfile", self.hand)
        shutil.copytree(self.shop, self.hand / "app")
        shutil.copytree(self.artifacts / "values", self.hand / "values")
        shutil.copy(self.artifacts / "Dockerfile.dev", self.hand)
        for chart in ("dev-app", *SERVICES):
            shutil.copytree(REPOSITORY / "vendor-charts" / chart, self.hand / "charts" / chart)
        docker = ["docker", "build", "--quiet", "--file", str(self.artifacts / "Dockerfile.dev"), str(self.shop)]
        self.image = run(docker, {**self.env, "DOCKER_BUILDKIT": "1"}, self.root).out.decode().strip()

    def change(self, project):
        """Changes a file of a project: its image is one that nobody has."""
        self.number += 1
        (project / "round.txt").write_text(f"{self.number}\n")

    def forget(self):
        """Nothing of the project is left: not in the cluster, and not with kilter, its record of the tools apart."""
        self.kilter("down")
        self.delete_namespace()
        for entry in (self.root / "cache").iterdir():
            if entry.name != "tools":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.rmtree(self.root / "state")
        (self.root / "state").mkdir()
        (self.shop / "kilter.lock").unlink(missing_ok=True)

    def delete_namespace(self):
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", "--timeout=180s")

    def pods(self):
        """Name, UID and restarts of each pod that is not about to go."""
        pods = json.loads(self.kubectl("get", "pods", "--output", "json"))["items"]
        pods = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        restarts = [[status["restartCount"] for status in pod["status"].get("containerStatuses", [])] for pod in pods]
        return sorted((pod["metadata"]["name"], pod["metadata"]["uid"], *count) for pod, count in zip(pods, restarts))

    def objects(self):
        """What there is, by kind and name."""
        kinds = "deployments,statefulsets,services,configmaps,secrets,persistentvolumeclaims"
        return sorted(self.kubectl("get", kinds, "--output", "name").split())

    def tilt_ci(self):
        argv = [self.options.tilt, "ci", "--port", str(free_port()), "--file", str(self.hand / "Tiltfile")]
        return hear(argv, self.tilt_env, self.hand)

    def kilter_tilt(self):
        """The process of kilter's Tilt."""
        record = self.root / "state" / "kilter" / "instances" / NAME / "tilt.json"
        return json.loads(record.read_text())["process"]["pid"]

    def load_kilter(self):
        """The load of kilter's Tiltfile: arguments, environment, directory."""
        ports = json.loads(self.kilter("env", "--json").said)["app"]["localhost"].rsplit(":", 1)[1].strip("/")
        env = {
            **self.kilter_env,
            "KUBECONFIG": str(self.artifacts / "kubeconfig"),
            "KILTER_ARTIFACTS": str(self.artifacts),
            "KILTER_PROJECT": str(self.shop),
            "KILTER_HOST_PORTS": ports,
            "KILTER_CONTEXT": CONTEXT,
            "KILTER_REGISTRY": REGISTRY,
            "KILTER_FORWARD": "1",
        }
        return self.load(self.artifacts / "Tiltfile"), env, self.shop

    def load_hand(self):
        """The same for the one by hand."""
        return self.load(self.hand / "Tiltfile"), self.tilt_env, self.hand

    def load(self, tiltfile):
        return [self.options.tilt, "alpha", "tiltfile-result", "--file", str(tiltfile)]


class TiltUp:
    """`tilt up` with the Tiltfile by hand, until everything is ready; ended on the way out."""

    def __init__(self, bed):
        self.bed = bed
        self.port = str(free_port())

    def __enter__(self):
        tilt = self.bed.options.tilt
        argv = [tilt, "up", "--stream", "--port", self.port, "--file", str(self.bed.hand / "Tiltfile")]
        self.log = open(self.bed.root / "tilt.log", "wb")
        self.child = subprocess.Popen(
            argv, env=self.bed.tilt_env, cwd=self.bed.hand, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )
        try:
            # It listens once it has said anything; its other lines are of no interest.
            self.child.stdout.readline()
            self.drain = subprocess.Popen(["cat"], stdin=self.child.stdout, stdout=self.log)
            with patience("tilt up"):
                self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_ready(self):
        """Listens to Tilt's resources until the three of the project are ready."""
        argv = [self.bed.options.tilt, "get", "uiresources", "--port", self.port, "--watch", "--output", "json"]
        watch = subprocess.Popen(argv, env=self.bed.tilt_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready, text = set(), ""
        try:
            for line in watch.stdout:
                text += line
                if line != "}\n":
                    continue
                resource, text = json.loads(text), ""
                for one in resource.get("items", [resource]):
                    conditions = {c["type"]: c["status"] for c in one.get("status", {}).get("conditions", [])}
                    if conditions.get("Ready") == conditions.get("UpToDate") == "True":
                        ready.add(one["metadata"]["name"])
                if ready.issuperset(RESOURCES):
                    return
            raise SystemExit(f"bench: tilt up ended: {(self.bed.root / 'tilt.log').read_text(errors='replace')[-2000:]}")
        finally:
            watch.kill()
            watch.wait()

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        if hasattr(self, "drain"):
            self.drain.wait()
        self.log.close()


def edits(bed, project):
    """Seconds from the write of a marker in the project until a reader in the pod has read it, for each round."""
    argv = [bed.options.kubectl, "--namespace", NAMESPACE, "exec", "--stdin", "--container", "app", f"deployment/{NAME}", "--", "node", "-e", READER]
    # With a standard input that stays open, so that the reader ends with its kubectl.
    reader = subprocess.Popen(argv, env=bed.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    took = []
    try:
        if reader.stdout.readline() != "watching\n":
            raise SystemExit("bench: the reader in the pod did not start")
        # The first one is not counted: the connection to the pod is made for it.
        for number in range(bed.options.rounds + 1):
            new = bed.root / "marker.new"
            new.write_text(f"marker {number}\n")
            began = time.monotonic()
            new.rename(project / "marker.txt")
            while reader.stdout.readline() != f"marker {number}\n":
                if reader.poll() is not None:
                    raise SystemExit("bench: the reader in the pod ended")
            took.append(time.monotonic() - began)
    finally:
        reader.kill()
        reader.wait()
    return took[1:]


def loads(bed, argv, env, cwd):
    """The load of a Tiltfile: the median of the seconds it takes, the processes that Tilt starts for it, those of helm."""
    took = median([run(argv, env, cwd).wall for _ in range(bed.options.rounds)])
    programs = started(argv, env, cwd)
    return took, None if programs is None else len(programs), helms(bed, programs)


def measure_kilter(bed):
    cold = []
    for _ in range(bed.options.cold):
        bed.forget()
        bed.change(bed.shop)
        cold.append(bed.kilter("up", "--ci"))
        say(f"    kilter up --ci, cold: {cold[-1].wall:.1f} s")
    pods, objects, tilt = bed.pods(), bed.objects(), bed.kilter_tilt()
    warm = [bed.kilter("up", "--ci") for _ in range(bed.options.rounds)]
    say(f"    kilter up --ci, unchanged: {each(warm)}")
    again = started([bed.options.kilter, "up", "--ci"], bed.kilter_env, bed.shop)
    found = {
        "cold": cold,
        "warm": warm,
        "touched": len(set(bed.pods()) ^ set(pods)) + (bed.kilter_tilt() != tilt),
        "objects": objects,
        "helm again": helms(bed, again),
        "rss": resident(tilt),
        "load": loads(bed, *bed.load_kilter()),
    }
    with patience("edits"):
        found["edits"] = edits(bed, bed.shop)
    say(f"    edit to pod: {each(found['edits'])}")
    bed.forget()
    # `up` renders as `render` does.
    found["helm cold"] = helms(bed, started([bed.options.kilter, "render"], bed.kilter_env, bed.shop))
    return found


def measure_hand(bed):
    cold = []
    for _ in range(bed.options.cold):
        bed.delete_namespace()
        bed.change(bed.hand / "app")
        cold.append(bed.tilt_ci())
        say(f"    tilt ci, cold: {cold[-1].wall:.1f} s")
    pods, objects = bed.pods(), bed.objects()
    warm = [bed.tilt_ci() for _ in range(bed.options.rounds)]
    say(f"    tilt ci, unchanged: {each(warm)}")
    touched = len(set(bed.pods()) ^ set(pods))
    with TiltUp(bed) as tilt:
        rss = resident(tilt.child.pid)
        with patience("edits"):
            took = edits(bed, bed.hand / "app")
    say(f"    edit to pod: {each(took)}")
    return {
        "cold": cold,
        "warm": warm,
        "touched": touched,
        "objects": objects,
        "rss": rss,
        "edits": took,
        "load": loads(bed, *bed.load_hand()),
    }


@contextlib.contextmanager
def patience(what):
    """Ends the bench when what is within takes too long."""

    def give_up(*_):
        raise SystemExit(f"bench: {what}: not within {HANGS_AFTER} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)


def say(text):
    print(text, file=sys.stderr, flush=True)


def each(runs):
    """What each of the runs took."""
    return ", ".join(f"{wall:.2f}" for wall in walls(runs)) + " s"


def walls(runs):
    """The seconds of each of the runs."""
    return [one if isinstance(one, float) else one.wall for one in runs]


def helms(bed, programs):
    """The helm processes among them; None when they are not known."""
    if programs is None:
        return None
    return sum(1 for path in programs if os.path.realpath(path) == bed.helm)


def seconds(runs, of="wall"):
    return median([getattr(one, of) for one in runs])


def report(bed, kilter, hand):
    """Prints the table, and which marks were missed."""
    rows = [["what", "kilter", "Tilt, `helm()`", "ratio", "mark"]]
    missed = []

    def row(what, ours, theirs, form, mark="", limit=None):
        ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else ""
        rows.append([what, "?" if ours is None else form(ours), "" if theirs is None else form(theirs), ratio, mark])
        if limit is not None and (ours is None or ours > limit):
            missed.append(f"{what.strip('… ')}: {rows[-1][1]}, mark {mark}")

    def s(number):
        return f"{number:.2f} s"

    def mib(number):
        return f"{number / MIB:.1f} MiB"

    loading = hand["load"][2]
    row("cold, to all ready (`kilter up --ci`, `tilt ci`)", seconds(kilter["cold"]), seconds(hand["cold"]), s)
    row("… fastest", min(walls(kilter["cold"])), min(walls(hand["cold"])), s)
    row("… slowest", max(walls(kilter["cold"])), max(walls(hand["cold"])), s)
    row("… first line", seconds(kilter["cold"], "first"), seconds(hand["cold"], "first"), s)
    row("… helm processes", kilter["helm cold"], loading, str)
    row("again, nothing changed", seconds(kilter["warm"]), seconds(hand["warm"]), s, "≤ 2 s", 2)
    row("… slowest", max(walls(kilter["warm"])), max(walls(hand["warm"])), s)
    row("… first line", seconds(kilter["warm"], "first"), seconds(hand["warm"], "first"), s)
    row("… pods touched", kilter["touched"], hand["touched"], str, "0", 0)
    row("… helm processes", kilter["helm again"], loading, str, "0", 0)
    row("edit → pod", median(kilter["edits"]), median(hand["edits"]), s, "≤ 1.5 s", 1.5)
    row("… slowest", max(kilter["edits"]), max(hand["edits"]), s)
    row("load of the Tiltfile (`tilt alpha tiltfile-result`)", kilter["load"][0], hand["load"][0], s)
    row("… processes started", kilter["load"][1], hand["load"][1], str)
    row("… of helm", kilter["load"][2], loading, str, "0", 0)
    row("peak memory of kilter, cold `up`", max(one.rss for one in kilter["cold"]), None, mib, "≤ 30 MB", 30e6)
    row("… unchanged `up`", max(one.rss for one in kilter["warm"]), None, mib, "≤ 30 MB", 30e6)
    row("memory of the running Tilt", kilter["rss"], hand["rss"], mib)
    table(rows)
    options = bed.options
    print(f"\nMedians of {options.cold} cold runs and of {options.rounds} rounds of the rest: a Node app with {' and '.join(SERVICES)}.")
    print("Again: kilter asks the Tilt that it left running, `tilt ci` is a Tilt of its own each time.")
    print("skaffold is not in the table: its Go module could not be had when this was written.")
    for one in missed:
        print(f"missed: {one}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kilter", "helm", "tilt", "kubectl", "kubeconfig", "docker"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--cold", type=int, default=3, help="cold runs of each (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of everything else (default: 5)")
    options = parser.parse_args()
    # What runs is taken away then as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kilter-bench-") as scratch:
        bed = Bed(options, Path(scratch))
        try:
            bed.prepare()
            kilter = measure_kilter(bed)
            hand = measure_hand(bed)
        finally:
            clean(bed)
    if kilter["objects"] != hand["objects"]:
        raise SystemExit(f"bench: not the same objects: {set(kilter['objects']) ^ set(hand['objects'])}")
    report(bed, kilter, hand)
    say(f"    measured in {time.monotonic() - began:.0f} s")


def clean(bed):
    """Takes away what runs, what is in the cluster, and the images."""
    subprocess.run([bed.options.kilter, "down"], env=bed.kilter_env, cwd=bed.shop, capture_output=True)
    delete = ["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", "--timeout=180s"]
    subprocess.run([bed.options.kubectl, *delete], env=bed.env, capture_output=True)
    images = ["docker", "image", "ls", "--quiet", "--filter", f"reference=*/*{NAME}*"]
    listed = subprocess.run(images, env=bed.env, capture_output=True, text=True).stdout.split()
    ids = sorted({*listed, *([bed.image] if hasattr(bed, "image") else [])})
    if ids:
        subprocess.run(["docker", "image", "rm", "--force", *ids], env=bed.env, capture_output=True)


if __name__ == "__main__":
    main()
