"""The one command of vat: compose a configuration and hand it to its program. `python launch.py --help`, `-cn <program> --help`."""

from __future__ import annotations

import os
import signal
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vat.errors import VatError

WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"
os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, and we say them in one line


@hydra.main(version_base="1.3", config_path="conf", config_name="align")
def main(cfg: DictConfig) -> None:
    """Run one point; a sweep goes through the launcher in vat/fanout."""
    from vat.fanout.programs import Launch, run

    try:
        done = run(HydraConfig.get().job.config_name or "align", Launch([cfg]))
    except VatError as error:
        sys.exit(_told(error))  # before Hydra adds a line of its own
    if not done:
        sys.exit(1)


def _leave(number: int, frame: object) -> None:
    """SIGTERM, as from a machine that is wanted back, is the same as Ctrl-C: what was done is kept."""
    raise KeyboardInterrupt


def _told(error: Exception) -> int:
    if WANTS_TRACEBACK:
        raise error
    from vat.programs.entry import report

    return report(error)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    try:
        main()
    except (VatError, HydraException, OmegaConfBaseException) as error:
        sys.exit(_told(error))
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
