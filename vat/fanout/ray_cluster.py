"""The Ray that does a sweep's jobs: reached or started, able to do them, and with a folder that all its nodes share."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError, shown
from vat.fanout.cluster import Cluster

REACH_S, JOIN_S, LOOK_S = 5.0, 30.0, 120.0
_JOIN = """
import sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False)
except Exception as error:
    sys.exit(print(" ".join(str(error).split())) or 1)
"""


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """A Ray inside the block: one of our own, which ends with us however that happens, or the one that is asked for.

    Raises:
        BackendError: It cannot be reached.
    """
    for name, default in (("RAY_DEDUP_LOGS", "0"), ("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")):
        os.environ.setdefault(name, default)
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():  # by whoever uses us from Python
        yield
        return
    ours = cluster.address == "local"
    print("starting Ray on this machine" if ours else f"joining the Ray cluster {cluster.address}", flush=True)
    if ours:  # it listens on all interfaces, so nobody else gets in
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
    try:
        if not ours:
            _reach(cluster.address)
        import ray  # which reads its environment now

        try:
            with _signals_kept():
                ray.init(address=cluster.address, include_dashboard=False if ours else None, logging_level=logging.ERROR, log_to_driver=False)
        except ray.exceptions.RayError as error:
            raise RuntimeError(str(error)) from error
    except (OSError, RuntimeError, ValueError) as error:
        rule = f"cluster.address={cluster.address}: must be a Ray cluster that takes us; got {shown(str(error).strip(), 160)}"
        step = "Start one with `ray start --head`, set RAY_AUTH_MODE and RAY_AUTH_TOKEN as it does, or use cluster.address=local"
        raise BackendError(f"{rule}. {step}.") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block has ended: a Ray that has half begun would take our process down with it.

    Ray's own handlers of SIGTERM are done away with: one of Python, and one of C++ that aborts three seconds later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    import ray._private.utils

    heard: list[int] = []
    ray._private.utils.set_sigterm_handler = lambda handler: None
    handlers = {number: signal.signal(number, lambda number, frame: heard.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if heard:
            signal.alarm(0)  # that of the handler in C++, if it was the one to hear
            raise KeyboardInterrupt


def _reach(address: str) -> None:
    """Find out in seconds and in a line whether a cluster takes us: Ray itself waits for ever where nobody answers, and says much meanwhile.

    Raises:
        OSError, RuntimeError: It does not.
    """
    token = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")) or (Path.home() / ".ray" / "auth_token").is_file()
    if token:  # Ray shows it of itself only to a cluster that it has found by itself
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=REACH_S).close()
    few = os.environ | {"RAY_NUM_REDIS_GET_RETRIES": "5"}
    try:
        joined = subprocess.run([sys.executable, "-c", _JOIN, address], env=few, capture_output=True, text=True, timeout=JOIN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"no answer within {JOIN_S:g} s") from error
    if "Unauthenticated" in joined.stderr:
        raise RuntimeError("a cluster that refuses our token" if token else "a cluster that asks for a token")
    if joined.returncode:
        raise RuntimeError(joined.stdout.strip() or f"exit status {joined.returncode}")


def demand_of(spec: AlignSpec, *, gpus_there: bool) -> dict[str, float]:
    """What a job asks Ray for, by Ray's own names: as many processors as it has threads, and the GPUs that it trains on or rates with.

    One that trains across nodes asks for what it needs as it goes, and only waits itself.
    """
    cluster = spec.cluster
    if cluster.nodes > 1 and spec.strategy.trains:
        return {"CPU": 0.0, "GPU": 0.0}
    demand = {"CPU": float(cluster.cpus or cluster.processes), "GPU": float(cluster.gpus or (gpus_there and spec.model.wants_gpu))}
    return demand | ({"memory": cluster.memory_gib * 2**30} if cluster.memory_gib else {})


def refuse_impossible(demands: Sequence[Mapping[str, float]], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raises a ConfigError if no node could ever do some job."""
    for demand in demands:
        if not is_possible(demand, nodes):
            rule = f"cluster: a job must fit on a node of this cluster; got one that asks for {_amounts(demand)}"
            have = "; ".join(_amounts({name: node["Resources"].get(name, 0) for name in demand}) for node in nodes)
            raise ConfigError(f"{rule}, where nodes have {have}. Lower cluster.cpus, gpus, processes or memory_gib; or set cluster.autoscaling=true.")


def is_possible(demand: Mapping[str, float], nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some node could do a job, if it did nothing else."""
    return any(all(node["Resources"].get(name, 0) >= amount for name, amount in demand.items()) for node in nodes)


def answers() -> bool:
    """Whether the head of the cluster that we are connected to takes connections."""
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=REACH_S).close()
    except OSError:
        return False
    return True


def alive() -> list[Mapping[str, Any]]:
    """The nodes that are there now."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _amounts(resources: Mapping[str, float]) -> str:
    named = {"CPU": "cpus", "GPU": "gpus", "memory": "GiB"}
    return ", ".join(f"{amount / (2**30 if name == 'memory' else 1):g} {named[name]}" for name, amount in resources.items())


def require_shared(folder: Path, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raises a ConfigError if some node does not see the folder as we do: its files, their renaming, and locks."""
    import ray
    from filelock import FileLock
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if len(nodes) < 2:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = f".shared-{uuid.uuid4().hex}"
    probe = folder / name
    try:
        with FileLock(folder / f"{name}.lock"):
            probe.write_text(name, encoding="utf-8")
            look = ray.remote(num_cpus=0, max_retries=0)(_looked)
            there = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
            refs = [look.options(scheduling_strategy=on).remote(str(probe), number) for number, on in enumerate(there)]
            lost = set()
            for number, (node, ref) in enumerate(zip(nodes, refs, strict=True)):
                try:
                    wrong = ray.get(ref, timeout=LOOK_S)
                except ray.exceptions.RayError as error:
                    if node["NodeID"] not in {one["NodeID"] for one in alive()}:  # Ray took until now to see it
                        lost.add(number)
                        continue
                    wrong = f"nothing could be found out ({type(error).__name__})"
                if wrong:
                    rule = f"tracking.root={folder}: must be a folder that all nodes share, with locks"
                    raise ConfigError(f"{rule}; got node {node['NodeManagerAddress']}, where {wrong}. Use a shared file system.")
            if missing := [n for n in range(len(nodes)) if n not in lost and not probe.with_name(f"{name}.{n}").is_file()]:
                raise ConfigError(f"tracking.root={folder}: must be a folder that all nodes share; got {len(missing)} nodes unseen. Share it.")
    finally:
        for file in folder.glob(f"{name}*"):
            file.unlink(missing_ok=True)


def _looked(probe: str, number: int) -> str:
    """On a node: what is wrong with the folder, "" if nothing."""
    from filelock import FileLock, Timeout

    path = Path(probe)
    try:
        if path.read_text(encoding="utf-8") != path.name:
            return "a file has other content"
        draft = path.with_name(f"{path.name}.draft{number}")
        draft.write_text(path.name, encoding="utf-8")
        draft.rename(path.with_name(f"{path.name}.{number}"))
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        return ""
    except OSError as error:
        return f"{error.strerror}"
    return "a lock that we hold is free"
