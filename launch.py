"""The one command of vat: compose a configuration, then run one point or, with -m, a sweep. `python launch.py --help`."""

from __future__ import annotations

import os
import sys

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vat.errors import VatError

WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"
os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, and we say them in one line


@hydra.main(version_base="1.3", config_path="conf", config_name="align")
def main(cfg: DictConfig) -> None:
    """Run one point; a sweep goes through the launcher in vat/fanout."""
    from vat.config import read
    from vat.fanout.sweep import run_points

    try:
        spec = read(cfg)
        rows = run_points([spec], sweep=spec.sweep)
    except VatError as error:
        sys.exit(_told(error))  # before Hydra adds a line of its own
    if any(row.get("failed") for row in rows):
        sys.exit(1)


def _told(error: Exception) -> int:
    if WANTS_TRACEBACK:
        raise error
    from vat.programs.entry import report

    return report(error)


if __name__ == "__main__":
    try:
        main()
    except (VatError, HydraException, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, ValueError) and "Config group override" not in str(error):
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
