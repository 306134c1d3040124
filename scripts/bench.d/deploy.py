"""`scripts/bench deploy`: kilter-server and kilter-operator on the test bed.

Prints a Markdown table: POST to commit, a queue of apps that is drained, the commits made for it, the operator's memory, and the same number of apps
done by hand, one after another: `helm template`, `git commit`, `git push`. Flux applies nothing meanwhile: its kustomize-controller is stopped.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

MARKS = {"p99": "≤ 2 s", "rate": "≥ half of bare helm's; Flux: about 4 per second", "memory": "≤ 64 MB"}
SERVER = ("127.0.0.1", 18089)
IMAGE = "registry.example/acme/app@sha256:" + "0" * 64


class Bed:
    """The test bed, and the programs on it with the rights of the chart kilter-platform."""

    def __init__(self, options, scratch):
        self.options = options
        self.dir = pathlib.Path(scratch)
        self.kubeconfig = options.kubeconfig
        lines = pathlib.Path(options.kubeconfig).with_name("platform.env").read_text().splitlines()
        self.addresses = dict(line.split("=", 1) for line in lines if "=" in line)
        self.children = []

    def kubectl(self, *args, text=None, check=True):
        argv = [self.options.kubectl, "--kubeconfig", self.kubeconfig, "--namespace", "kilter-system", *args]
        return subprocess.run(argv, input=text, text=True, check=check, capture_output=True).stdout

    def git(self, *args):
        repository = pathlib.Path(self.kubeconfig).with_name("git") / "fleet.git"
        argv = ["git", "-c", "safe.directory=*", "--git-dir", str(repository), *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def install(self):
        self.kubectl("create", "namespace", "kilter-system", check=False)
        login = pathlib.Path(self.addresses["GIT_LOGIN"])
        data = {name: (login / name).read_text() for name in ("username", "password")}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kilter-repository"}, "stringData": data}
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(secret))
        self.platform = {"domain": self.addresses["HOST_SUFFIX"], "scheme": "http", "gateway": {"name": "public", "namespace": "gateway-system"}}
        (self.dir / "platform.yaml").write_text(json.dumps(self.platform))
        values = {"workloads": False, "platform": self.platform,
                  "repository": {"url": self.addresses["GIT_URL"], "secretName": "kilter-repository"}}
        (self.dir / "values.json").write_text(json.dumps(values))
        argv = [self.options.helm, "template", "kilter-platform", "vendor-charts/kilter-platform", "--namespace", "kilter-system",
                "-f", str(self.dir / "values.json")]
        manifest = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=manifest)

    def config_of(self, account):
        token = self.kubectl("create", "token", account, "--duration=4h").strip()
        config = json.loads(self.kubectl("config", "view", "--raw", "--output=json"))
        for user in config["users"]:
            user["user"] = {"token": token}
        path = self.dir / account
        path.write_text(json.dumps(config))
        return str(path)

    def start(self, program, account, *args):
        log = open(self.dir / f"{account}.log", "ab")
        env = {"KUBECONFIG": self.config_of(account), "PATH": os.environ["PATH"]}
        child = subprocess.Popen([program, *args], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.children.append(child)
        return child

    def start_operator(self):
        return self.start(self.options.operator, "kilter-operator", "run", "--config", str(self.dir / "platform.yaml"), "--git-url",
                          self.addresses["GIT_URL"], "--git-credentials", self.addresses["GIT_LOGIN"], "--helm", self.options.helm,
                          "--dir", str(self.dir / "operator"), "--probes", "127.0.0.1:0")

    def until_ready(self):
        """Waits until kilter-server has seen what it needs; fails when it ends before."""
        while True:
            try:
                connection = http.client.HTTPConnection(*SERVER, timeout=30)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            if any(child.poll() is not None for child in self.children):
                sys.exit("\n".join(path.read_text() for path in self.dir.glob("*.log")))

    def stop(self, child):
        child.terminate()
        child.wait()
        self.children.remove(child)

    def committed(self, prefix):
        names = self.git("ls-tree", "-r", "--name-only", "main").splitlines()
        return sum(1 for name in names if name.startswith(f"apps/{prefix}") and name.endswith("/receipt.json"))


def template(number):
    return {"image": IMAGE, "port": 3000, "replicas": 0, "public": False, "variables": {"NUMBER": str(number)}}


def posts(bed, token, count):
    """Deploys one after another; returns the seconds from the POST to the pushed commit, sorted. One before them is not counted: the
    API server itself holds the first object of a new definition back for two seconds (apiextensions-apiserver, customresource_handler.go)."""
    took = []
    for number in range(count + 1):
        body = json.dumps({"template": template(number)})
        connection = http.client.HTTPConnection(*SERVER, timeout=30)
        began = time.monotonic()
        connection.request("POST", "/v1/apps/acme/post/envs/prod/deploys", body,
                           {"Authorization": f"Bearer {token}", "Idempotency-Key": f"bench-{os.getpid()}-{number}"})
        answer = json.loads(connection.getresponse().read())
        wanted = f'"revision": {answer["revision"]},'
        while True:
            try:
                if wanted in bed.git("show", "main:apps/post-prod/receipt.json"):
                    break
            except subprocess.CalledProcessError:
                pass
        took.append(time.monotonic() - began)
    return sorted(took[1:])


def queue(bed, count, prefix):
    """Makes apps while no operator runs, then counts the seconds until all are committed; returns seconds, commits and peak memory."""
    objects = [{"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterApp",
                "metadata": {"name": f"{prefix}{number}-prod", "namespace": "kilter-system"},
                "spec": {"org": "acme", "app": f"{prefix}{number}", "env": "prod", "revision": 1, "deploy": "d1", "template": template(number)}}
               for number in range(count)]
    bed.kubectl("apply", "--server-side", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    before = int(bed.git("rev-list", "--count", "main"))
    began = time.monotonic()
    operator = bed.start_operator()
    while bed.committed(prefix) < count:
        if operator.poll() is not None:
            sys.exit("kilter-operator ended:\n" + (bed.dir / "kilter-operator.log").read_text())
        time.sleep(0.1)
    took = time.monotonic() - began
    commits = int(bed.git("rev-list", "--count", "main")) - before
    status = pathlib.Path(f"/proc/{operator.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    bed.stop(operator)
    return took, commits, peak * 1024


def by_hand(bed, count):
    """Does the same by hand, one app after another, and for helm alone; returns the two in apps per second."""
    work = bed.dir / "by-hand"
    username, password = ((pathlib.Path(bed.addresses["GIT_LOGIN"]) / name).read_text() for name in ("username", "password"))
    url = bed.addresses["GIT_URL"].replace("://", f"://{username}:{password}@", 1)
    run = lambda *argv: subprocess.run(argv, check=True, capture_output=True, cwd=work)
    subprocess.run(["git", "clone", "--quiet", "--depth=1", url, str(work)], check=True, capture_output=True)
    run("git", "config", "user.name", "bench")
    run("git", "config", "user.email", "bench@example.com")
    chart = os.path.abspath("vendor-charts/kilter-app")
    values = bed.dir / "by-hand.json"
    values.write_text(json.dumps({"image": IMAGE, "public": False}))
    render = [bed.options.helm, "template", "x", chart, "--namespace", "x", "-f", str(values)]
    began = time.monotonic()
    for number in range(count):
        manifest = subprocess.run(render, check=True, capture_output=True).stdout
        (work / f"hand-{number}.txt").write_bytes(manifest + str(time.time()).encode())
        run("git", "add", "--all")
        run("git", "commit", "--quiet", "-m", f"app {number}")
        run("git", "push", "--quiet")
    hand = count / (time.monotonic() - began)
    began = time.monotonic()
    cores = os.cpu_count() or 1
    for _ in range(count // cores):
        for child in [subprocess.Popen(render, stdout=subprocess.DEVNULL) for _ in range(cores)]:
            child.wait()
    return hand, (count // cores) * cores / (time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser()
    for name in ("kubeconfig", "kubectl", "helm", "server", "operator"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--posts", type=int, default=40)
    parser.add_argument("--queue", type=int, default=500)
    parser.add_argument("--apps", type=int, default=1000)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp()
    bed = Bed(options, scratch)
    try:
        bed.install()
        env = {**os.environ, "KUBECONFIG": options.kubeconfig}
        token = subprocess.run([options.server, "token", "create", "--name", "bench", "--org", "acme", "--expires", "1d"], env=env,
                               check=True, capture_output=True, text=True).stdout.strip()
        server = bed.start(options.server, "kilter-server", "run", "--config", str(bed.dir / "platform.yaml"), "--listen", "%s:%d" % SERVER)
        operator = bed.start_operator()
        took = posts(bed, token, options.posts)
        bed.stop(operator)
        bed.stop(server)
        seconds, commits, _ = queue(bed, options.queue, "q")
        rest = max(options.apps - options.queue, 0)
        memory = queue(bed, rest, "r")[2] if rest else 0
        hand, helm = by_hand(bed, 20)
    finally:
        for child in list(bed.children):
            bed.stop(child)
        shutil.rmtree(scratch, ignore_errors=True)
    rate = options.queue / seconds
    at = lambda share: took[min(len(took) - 1, int(len(took) * share))]
    print("| what | kilter | mark |")
    print("|---|---|---|")
    print(f"| POST to pushed commit, {options.posts} deploys: p50, p99 | {at(0.5):.2f} s, {at(0.99):.2f} s | {MARKS['p99']} |")
    print(f"| {options.queue} queued apps drained | {rate:.1f} per second, start included; bare helm on all cores {helm:.1f}, by hand with commit and push {hand:.1f} | {MARKS['rate']} |")
    print(f"| commits made for them | {commits} | few |")
    print(f"| operator with {options.apps} apps, peak memory | {memory / 1e6:.0f} MB | {MARKS['memory']} |")
    print(f"left behind on the bed: {options.queue + rest} KilterApps; `scripts/testbed reset` takes them away", file=sys.stderr)


if __name__ == "__main__":
    main()
