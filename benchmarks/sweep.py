"""What a sweep costs beside its jobs: planning, Ray's own time a job, what is left of two cores, and a sweep that is done already.

python benchmarks/sweep.py                          # plan, overhead, cores: about ten minutes
python benchmarks/sweep.py finished [folder]        # makes 1,000 finished jobs first, half an hour, or takes those of an earlier time
python benchmarks/sweep.py peer <its>/bin/python    # hydra-ray-launcher beside ours, from an environment where it is installed

Overheads are those of jobs that are done already, so that nothing is left but what a sweep adds: the same jobs by Ray, by joblib's processes and
one after the other in this process, all warm, in turns. hydra-ray-launcher wants an older cloudpickle than Ray's own and so an environment of
its own; there a job is a function that returns at once, and its time is what 60 of them take longer than 4, composition included.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hydra
import joblib

from vat.config import AlignSpec, read
from vat.fanout.in_turn import in_turn
from vat.fanout.on_ray import on_ray
from vat.fanout.plan import Plan, Step
from vat.fanout.sweep import run_points
from vat.fanout.work import outcome_of
from vat.track.runs import Runs

ROOT = Path(__file__).parents[1]
TRIVIAL = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
MANY, SOME, ROUNDS = 1000, 60, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["finished"]:
            finished(Path(sys.argv[2] if sys.argv[2:] else folder).absolute())
        elif sys.argv[1:2] == ["peer"]:
            overhead(Path(folder))
            peer(Path(folder), sys.argv[2])
        else:
            planning(Path(folder))
            overhead(Path(folder))
            cores(Path(folder))


def planning(folder: Path) -> None:
    """1,000 points composed, checked and planned, by the command."""
    seconds = launched(folder, "-m", f"replicate=range({MANY})", *TRIVIAL, "cluster.dry_run=true")
    print(f"{MANY} points planned in {seconds:.1f} s, at most 20: {'yes' if seconds <= 20 else 'NO'}", flush=True)


def finished(folder: Path) -> None:
    """The same points once more when all of them are done."""
    points = ("-m", f"replicate=range({MANY})", *TRIVIAL)
    launched(folder, *points, "hydra/launcher=basic")
    seconds = statistics.median(launched(folder, *points) for _ in range(ROUNDS))
    print(f"a finished sweep of {MANY} jobs answers in {seconds:.1f} s, at most 5: {'yes' if seconds <= 5 else 'NO'}", flush=True)


def launched(folder: Path, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, str(ROOT / "launch.py"), *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def overhead(folder: Path) -> None:
    """Wall time a job that has nothing to do, on a Ray that is up."""
    specs = [composed(f"tracking.root={folder}/overhead", *TRIVIAL, f"replicate={n}") for n in range(SOME)]
    with silent():
        run_points(specs, sweep=None)
    steps = Plan(specs).steps
    ways: dict[str, Callable[[list[Step]], object]] = {
        "ray": lambda some: list(on_ray(some, Runs(specs[0].tracking, None))),
        "joblib": lambda some: joblib.Parallel(n_jobs=2)(joblib.delayed(by_joblib)(step.spec) for step in some),
        "basic": lambda some: list(in_turn(some, Runs(specs[0].tracking, None))),
    }
    import ray

    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with silent():
        for way in ways.values():
            way(steps[:4])  # processes are up, modules imported
        for _ in range(ROUNDS):
            for name, way in ways.items():
                few, all_of_them = seconds_of(way, steps[:4]), seconds_of(way, steps)
                spent[name].append(1000 * (all_of_them - few) / (len(steps) - 4))
    ray.shutdown()
    for name, found in spent.items():
        print(f"a job with nothing to do, by {name}: {statistics.median(found):.0f} ms")
    most = statistics.median(spent["ray"])
    print(f"  by Ray at most 60 ms: {'yes' if most <= 60 else 'NO'}", flush=True)


def peer(folder: Path, python: str) -> None:
    """The same of hydra-ray-launcher, whose jobs do nothing at all."""
    (folder / "app.py").write_text('import hydra\n@hydra.main(version_base="1.3", config_path=None)\ndef main(cfg): pass\nmain()\n')

    def seconds(jobs: int) -> float:
        start = time.perf_counter()
        command = [python, "app.py", "-m", f"+x=range({jobs})", "hydra/launcher=ray"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    found = [1000 * (seconds(SOME) - seconds(4)) / (SOME - 4) for _ in range(ROUNDS)]
    print(f"a job with nothing to do, by hydra-ray-launcher: {statistics.median(found):.0f} ms", flush=True)


def by_joblib(spec: AlignSpec) -> object:
    return outcome_of(spec, Runs(spec.tracking, None), wait=True).result


def seconds_of(way: Callable[[list[Step]], object], steps: list[Step]) -> float:
    start = time.perf_counter()
    way(steps)
    return time.perf_counter() - start


def cores(folder: Path) -> None:
    """The paper's Table 2 on the embedded model: how much of two cores' time goes into rating."""
    begun = time.perf_counter()
    command = [sys.executable, str(ROOT / "launch.py"), "-m", "+sweeps=table2", "model=tiny", f"tracking.root={folder}/cores"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - begun
    files = sorted((folder / "cores" / "jobs").glob("*/result.json"), key=lambda file: file.stat().st_mtime)
    results = [json.loads(file.read_text()) for file in files]
    rated = sum(result["rated_s"] for result in results)
    full = files[-1].stat().st_mtime - files[0].stat().st_mtime
    print(f"table2 on the embedded model: {len(results)} jobs in {wall:.0f} s; {rated:.0f} s of rating are {rated / 2 / wall:.0%} of two cores' time")
    print(f"  at least 80%: {'yes' if rated / 2 / wall >= 0.8 else 'NO'}", flush=True)
    share = (rated - results[0]["rated_s"]) / 2 / full
    print(f"  {share:.0%} in the {full:.0f} s in which jobs go side by side, between the baseline's end and the last job's", flush=True)


def composed(*overrides: str) -> AlignSpec:
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return read(hydra.compose("align", list(overrides)))


@contextlib.contextmanager
def silent() -> object:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    main()
