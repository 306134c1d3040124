"""`scripts/bench server`: many clients of kilter-server at once, on the test bed.

Nine of ten clients ask for the history of an app, one deploys an app of its own again and again. Prints a Markdown table: requests, latency, what was not
answered by 2xx, memory. Ten clients have one token, as a token has a bound of its own. Every deploy that was accepted has to be in the API server afterwards. No operator runs meanwhile.
"""

import argparse
import asyncio
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from deploy import SERVER, Bed, template

APP = "/v1/apps/acme/load%d/envs/prod/deploys"


class Load:
    """The clients, and what they saw."""

    def __init__(self, tokens, child):
        self.tokens = tokens
        self.child = child
        self.took = collections.defaultdict(list)
        self.statuses = collections.Counter()
        self.accepted = collections.defaultdict(int)
        self.memory = []

    async def ask(self, streams, number, method, path, body=b"", key="none-none"):
        reader, writer = streams
        head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self.tokens[number // 10]}\r\nidempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
        began = time.monotonic()
        writer.write(head.encode() + body)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        answer = json.loads(await reader.readexactly(length))
        status = int(lines[0].split()[1])
        self.took["deploy" if method == "POST" else "read"].append(time.monotonic() - began)
        self.statuses[status] += 1
        return status, answer

    async def client(self, number, end):
        streams = await asyncio.open_connection(*SERVER)
        own = number - number % 10
        path, count = APP % own, 0
        while time.monotonic() < end:
            count += 1
            if number == own:
                body = json.dumps({"template": template(count)}).encode()
                status, answer = await self.ask(streams, number, "POST", path, body, f"load-{os.getpid()}-{number}-{count}")
                if status == 202:
                    self.accepted[own] = answer["revision"]
            else:
                status, _ = await self.ask(streams, number, "GET", path)
            if status in (429, 503):
                await asyncio.sleep(1)
        streams[1].close()

    async def watch(self, end):
        while time.monotonic() < end:
            await asyncio.sleep(1)
            with open(f"/proc/{self.child.pid}/status") as status:
                self.memory += [int(line.split()[1]) for line in status if line.startswith("VmRSS")]

    async def run(self, clients, seconds):
        streams = await asyncio.open_connection(*SERVER)
        for own in range(0, clients, 10):
            await self.ask(streams, own, "POST", APP % own, json.dumps({"template": template(0)}).encode(), f"load-{os.getpid()}-{own}-first")
        self.took.clear()
        self.statuses.clear()
        end = time.monotonic() + seconds
        await asyncio.gather(self.watch(end), *(self.client(number, end) for number in range(clients)))


def main():
    parser = argparse.ArgumentParser()
    for name in ("kubeconfig", "kubectl", "helm", "server"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp()
    bed = Bed(options, scratch)
    names = [f"load{own}-prod" for own in range(0, options.clients, 10)]
    try:
        bed.install()
        env = {**os.environ, "KUBECONFIG": options.kubeconfig}
        create = [options.server, "token", "create", "--org", "acme", "--expires", "1d", "--name"]
        tokens = [subprocess.run([*create, f"bench-{number}"], env=env, check=True, capture_output=True, text=True).stdout.strip()
                  for number in range(len(names))]
        server = bed.start(options.server, "kilter-server", "run", "--config", str(bed.dir / "platform.yaml"), "--listen", "%s:%d" % SERVER,
                           "--per-second", "1000000")
        load = Load(tokens, server)
        bed.until_ready()
        asyncio.run(load.run(options.clients, options.seconds))
        kept = {name: json.loads(bed.kubectl("get", "kilterapp", name, "--output=json"))["spec"]["revision"] for name in names}
    finally:
        for child in list(bed.children):
            bed.stop(child)
        bed.kubectl("delete", "kilterapps", *names, "--ignore-not-found", "--wait=false")
        shutil.rmtree(scratch, ignore_errors=True)
    lost = [name for own, name in zip(range(0, options.clients, 10), names) if kept[name] < load.accepted[own]]
    print("| what | kilter-server |")
    print("|---|---|")
    for kind, took in sorted(load.took.items()):
        took.sort()
        at = lambda share: 1000 * took[min(len(took) - 1, int(len(took) * share))]
        print(f"| {kind}: {len(took)} by {options.clients} clients in {options.seconds} s: p50, p99, longest | {at(0.5):.0f} ms, {at(0.99):.0f} ms, {at(1):.0f} ms |")
    others = {status: count for status, count in load.statuses.items() if status not in (200, 202)}
    print(f"| answers other than 2xx | {others or 'none'} |")
    third = max(1, len(load.memory) // 3)
    print(f"| memory after a third of the time, at its end, peak | {load.memory[third - 1] / 1e3:.0f} MB, {load.memory[-1] / 1e3:.0f} MB, {max(load.memory) / 1e3:.0f} MB |")
    print(f"| accepted deploys that were lost | {len(lost)} |")
    if lost:
        sys.exit(f"lost: {', '.join(lost)}")


main()
