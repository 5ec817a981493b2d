"""A real Ray of one or more nodes on loopback, for tests: each node is a `ray start --block` of our own, and ends by its process id.

It keeps its files in a folder of its own, so that nobody's `address=auto` finds it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TOKEN = os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
"""Ray listens beyond loopback; this keeps others out. In the environment before Ray is imported, which reads it once."""
os.environ.setdefault("RAY_AUTH_MODE", "token")
ROOT = Path(__file__).parents[2]
UP_S = 90.0


@dataclass
class Node:
    """One `ray start --block`, and what it started."""

    ip: str
    process: subprocess.Popen[bytes]
    said: Path

    def raylet(self) -> psutil.Process:
        """The process that makes it a node."""
        [found] = [child for child in psutil.Process(self.process.pid).children() if child.name() == "raylet"]
        return found

    def lose(self) -> None:
        """The node is gone at once, as a machine whose power fails: its raylet and all its workers."""
        everything = [*self.raylet().children(recursive=True), self.raylet()]
        for one in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()

    def stop(self) -> None:
        """End it and whatever it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            everything = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            for one in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait()


@dataclass
class RayCluster:
    """Nodes that belong together. `address`: of the head, as cluster.address takes it."""

    folder: Path
    environment: dict[str, str]
    address: str = ""
    nodes: list[Node] = field(default_factory=list)

    def add(self, *options: str, inside: Sequence[str] = ()) -> Node:
        """Start one more node, the first as head, and wait until it is up. `inside`: a command that runs it, as unshare."""
        joins = ["--address", self.address] if self.nodes else self._heads()
        ip = f"127.0.0.{len(self.nodes) + 2}"
        said = self.folder / f"node{len(self.nodes)}.txt"
        command = [
            *inside,
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            *joins,
            f"--node-ip-address={ip}",
            "--disable-usage-stats",
            "--block",
            *options,
        ]
        with said.open("w") as out:
            process = subprocess.Popen(command, env=os.environ | self.environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        node = Node(ip, process, said)
        self.nodes.append(node)
        until = time.monotonic() + UP_S
        while "block forever" not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < until, said.read_text()
            time.sleep(0.1)
        return node

    def _heads(self) -> list[str]:
        with socket.socket() as free:
            free.bind(("127.0.0.2", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.2:{port}"
        return ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.folder}", "--object-store-memory=100000000"]


@contextlib.contextmanager
def ray_cluster(*nodes: str, **environment: str) -> Iterator[RayCluster]:
    """A cluster inside the block, `nodes` being the options of each, as "--num-cpus=2 --num-gpus=1"; and what they find in their environment."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # pytest's folders have names too long for sockets
    cluster = RayCluster(folder, {"PYTHONPATH": str(ROOT)} | environment)
    try:
        for options in nodes:
            cluster.add(*options.split())
        yield cluster
    finally:
        for node in reversed(cluster.nodes):
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)
