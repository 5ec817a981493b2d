"""Training across the nodes of a Ray cluster: `python -m vat.align.on_nodes plan.json PARENT`, in the place of `trainer.py`.

Ray Train puts a process on each node (or on each of its GPUs) and joins them; each then trains as `trainer.py` does. All write to the job's
folder, which the nodes share, so that checkpoints are written once and nothing is copied.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from vat.align.checkpoints import complete
from vat.align.trainer import BROKEN, FAULT, NOT_A_NUMBER, die_with, train


def main(plan_file: Path, parent: int) -> int:
    """Train as planned; returns the exit status. Raises what Ray Train raises."""
    if not die_with(parent):
        return 1
    os.environ |= {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0", "RAY_TRAIN_V2_ENABLED": "1", "RAY_DEDUP_LOGS": "0"}
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    folder = plan_file.parent
    for old in (FAULT, BROKEN):
        (folder / old).unlink(missing_ok=True)
    done = max(complete(folder, plan["digest"]), default=0)
    ray.init(address=plan["address"], log_to_driver=False)
    on_gpu = plan["model"]["device"] == "cuda"
    trainer = TorchTrainer(
        _one_of_them,
        train_loop_config={"folder": str(folder), "done": done},
        scaling_config=ScalingConfig(
            num_workers=plan["workers"], use_gpu=on_gpu, resources_per_worker={"CPU": plan["threads"] or 1} | ({"GPU": 1} if on_gpu else {}),
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(name=plan["digest"][:16], storage_path=str(folder / "ray"), failure_config=FailureConfig(max_failures=0)),
    )  # fmt: skip
    trainer.fit()
    return NOT_A_NUMBER if (folder / BROKEN).is_file() else 0


def _one_of_them(config: dict[str, Any]) -> None:
    """In each process; they are joined already."""
    folder = Path(config["folder"])
    train(json.loads((folder / "plan.json").read_text(encoding="utf-8")), folder, config["done"])


if __name__ == "__main__":
    ended = main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    os._exit(ended)
