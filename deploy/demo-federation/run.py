#!/usr/bin/env python3
"""Three registries on this machine that copy each other: a national one with geography and agencies, and two
municipalities. The national one follows both municipalities, and they follow the national one. Changes are made in all
three, and it is printed how long each takes from the answer to its write until the other registry's own API tells of it.

    deploy/demo-federation/run.py [--program target/release/grunddata] [--changes 300] [--rate 50]

Needs Python 3.9 and nothing else. Everything lies in a temporary directory, and every process is ended.
"""

import argparse
import json
import os
import queue
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

REGISTRIES = {"nation": "se-nation", "norrby": "se-norrby", "soderby": "se-soderby"}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Registry:
    def __init__(self, name, owner, program, directory):
        self.name, self.owner, self.program = name, owner, program
        self.directory = os.path.join(directory, name)
        os.makedirs(self.directory)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        settings = os.path.join(self.directory, "grunddata.toml")
        with open(settings, "w", encoding="utf-8") as file:
            file.write('[peers]\nhttp_loopback = true\n[log]\nfilter = "warn"\n')
        self.common = ["--config", settings, "--data", self.directory]
        self.run("migrate")
        self.run("owner", "add", owner, "--name", name)
        minted = self.run("token", "create", "--name", "demo", "--grant", "*:administrator")
        words = minted.replace('"', " ").split()
        self.token = max((word for word in words if word.startswith("gd")), key=len, default=max(words, key=len))
        self.token_file = os.path.join(self.directory, "token")
        with open(self.token_file, "w", encoding="utf-8") as file:
            file.write(self.token)
        os.chmod(self.token_file, 0o600)

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments, *self.common], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        log = open(os.path.join(self.directory, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [self.program, "serve", "--listen", f"127.0.0.1:{self.port}", *self.common], stdout=log, stderr=log
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        sys.exit(f"{self.name} did not start: see {self.directory}/log")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def request(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "If-Match": "*", "Content-Type": "application/json"}
        if method == "GET":
            del headers["If-Match"], headers["Content-Type"]
        if method == "POST" and not path.endswith("amendments"):
            del headers["If-Match"]
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{self.name}: {method} {path}: {error.code} {error.read().decode()}")

    def create(self, collection, data):
        body = {"owner": self.owner, "validFrom": "2026-01-01", "data": data}
        return self.request("POST", f"/{collection}", body)["id"]

    def follow(self, other):
        self.run("peer", "add", other.name, "--url", other.url, "--owner", other.owner, "--token-file", other.token_file)

    def wait_for(self, other):
        """Until what is here of the other registry is all that it has."""
        for _ in range(2400):
            position = other.request("GET", f"/owners/{other.owner}")["position"]
            state = self.request("GET", f"/peers/{other.name}")["state"]
            if state["position"] == position and "heardAt" in state:
                return
            time.sleep(0.05)
        sys.exit(self.run("peer", "check"))

    def listen(self, owner, heard):
        """Puts into the queue when this registry tells of each version of an owner's records."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/changes/stream?owner={owner}&after=now", headers={"Authorization": f"Bearer {self.token}"}
        )
        stream = urllib.request.urlopen(request, timeout=120)

        def read():
            try:
                for line in stream:
                    if line.startswith(b"data: "):
                        entry = json.loads(line[6:])
                        heard.put((self.name, entry["record"], entry["version"], time.perf_counter()))
            except (OSError, ValueError, AttributeError):
                return

        threading.Thread(target=read, daemon=True).start()


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default=os.environ.get("GRUNDDATA_BIN", "target/release/grunddata"))
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--rate", type=float, default=50.0, help="changes in a second")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not os.access(chosen.program, os.X_OK):
        sys.exit(f"there is no program at {chosen.program}: build it with cargo build --release, or name it with --program")
    dice = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="grunddata-federation-") as directory:
        registries = []
        try:
            for name, owner in REGISTRIES.items():
                registries.append(Registry(name, owner, chosen.program, directory))
            for registry in registries:
                registry.start()
            nation, municipalities = registries[0], registries[1:]
            own = {nation.name: []}
            for number in range(21):
                data = {"name": {"sv": f"Län {number + 1}"}, "kind": "county"}
                nation.create("geographies", data)
                own[nation.name].append(nation.create("organisations", {"name": {"sv": f"Myndighet {number + 1}"}, "kind": "unit"}))
            for municipality in municipalities:
                units = range(20)
                own[municipality.name] = [
                    municipality.create("organisations", {"name": {"sv": f"Skola {unit + 1} i {municipality.name}"}, "kind": "unit"})
                    for unit in units
                ]
            for municipality in municipalities:
                nation.follow(municipality)
                municipality.follow(nation)
            for municipality in municipalities:
                nation.wait_for(municipality)
                municipality.wait_for(nation)
            print("linked: the national registry has both municipalities, and both have its geography and agencies")
            heard = queue.Queue()
            readers = {nation.name: [m.name for m in municipalities]}
            for municipality in municipalities:
                readers[municipality.name] = [nation.name]
                nation.listen(municipality.owner, heard)
                municipality.listen(nation.owner, heard)
            time.sleep(0.5)
            written, begun = {}, time.perf_counter()
            for number in range(chosen.changes):
                time.sleep(max(0.0, begun + number / chosen.rate - time.perf_counter()))
                registry = dice.choice(registries)
                record = dice.choice(own[registry.name])
                patch = {"patch": {"name": {"sv": f"Namn {number}"}}, "validFrom": "2026-02-01"}
                made = registry.request("POST", f"/organisations/{record}/amendments", patch)
                for reader in readers[registry.name]:
                    written[(reader, record, made["version"])] = time.perf_counter()
            took = []
            last = time.perf_counter() + 30
            while len(took) < len(written) and time.perf_counter() < last:
                try:
                    name, record, version, at = heard.get(timeout=1)
                except queue.Empty:
                    continue
                if (name, record, version) in written:
                    took.append(max(0.0, at - written[(name, record, version)]) * 1000)
            if len(took) < len(written):
                sys.exit(f"{len(written) - len(took)} of {len(written)} changes did not arrive within 30 seconds")
            took.sort()
            print(f"{chosen.changes} changes at {chosen.rate:g} a second, {len(took)} arrivals at other registries")
            print(
                f"from the answer to a write until the other registry's API tells of it: median {percentile(took, 0.5):.1f} ms, "
                f"p99.9 {percentile(took, 0.999):.1f} ms, worst {took[-1]:.1f} ms"
            )
            for registry in registries:
                print(registry.run("peer", "check").rstrip())
        finally:
            for registry in registries:
                registry.stop()


if __name__ == "__main__":
    main()
