"""What a report waits for: all numbers of a finished sweep of 1,000 jobs, against MLflow's own way to get them.

python benchmarks/report.py            # makes such a sweep first, which takes some minutes
python benchmarks/report.py <folder>   # of one that is kept there (tracking.root), as this script leaves it

Peer: `mlflow.search_runs`, which gives a table of the last value of each metric, without checkpoints, pairs of values or scenes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vat.analyse.study import saved_study
from vat.track.runs import Runs
from vat.track.settings import Tracking

SWEEP = "benchmark"
POINTS = "replicate=range(1000)"


def main() -> None:
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "mlruns"
        quick = ["model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99"]
        launch = [sys.executable, str(Path(__file__).parents[1] / "launch.py"), "-m", POINTS, *quick, f"sweep={SWEEP}", f"tracking.root={root}"]
        subprocess.run(launch, check=True)
        measure(root)


def measure(root: Path) -> None:
    """Print the seconds of both, one after the other, three times."""
    import mlflow

    tracking = Tracking(root=str(root), uri=None, experiment="vat")
    runs = Runs(tracking, None)
    mlflow.set_tracking_uri(tracking.store_uri)
    for _ in range(3):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            kept = runs.study_of(SWEEP, Path(place))
            assert kept is not None, f"{root} keeps no study of a sweep called {SWEEP}"
            study = saved_study(kept)
            numbers = len(study.numbers) + study.states.size
        ours = time.perf_counter() - began
        began = time.perf_counter()
        table = mlflow.search_runs(experiment_names=["vat"], filter_string="tags.`vat.kind` = 'job'")
        peer = time.perf_counter() - began
        print(
            f"{len(study.jobs)} jobs, {numbers:,} numbers: {ours:.2f} s; mlflow.search_runs, {table.size:,} cells: {peer:.2f} s; "
            f"ratio {peer / ours:.1f}"
        )  # fmt: skip


if __name__ == "__main__":
    main()
