"""launch.py, to which the strategy of faulty.py is one of its own: a configuration may name classes of vat only."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from tests.fanout import faulty

sys.modules["vat.faulty"] = faulty
runpy.run_path(str(Path(__file__).parents[2] / "launch.py"), run_name="__main__")
