"""Commands as a user types them, in processes that need not import for seconds: each is forked from one that has imported much and done nothing.

What is forked is a process of its own, with its own arguments, folder, environment, output and signals. It has its sisters' seed of hashes: where two
processes are compared to the bit, one of them is `typed`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LAUNCH = Path(__file__).parents[1] / "launch.py"
IMPORTED = [
    "hydra_plugins.vat_plugins", "vat.fanout.programs", "vat.fanout.sweep", "vat.fanout.in_turn", "vat.programs.job_page", "vat.programs.dataset",
    "vat.programs.vidb", "vat.programs.intensity", "vat.programs.report", "vat.generate.search", "vat.generate.writers", "mlflow.tracking.client",
    "mlflow.store.tracking.sqlalchemy_store", "pyarrow.parquet", "aiohttp", "pandas", "matplotlib.pyplot", "scipy.stats", "scipy.sparse.linalg",
]  # fmt: skip
LONGEST_S = 300

forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(IMPORTED)


class Warm:
    """`python launch.py arguments`, begun, as a `subprocess.Popen`; what it says comes to the end of two files, which may be the same."""

    def __init__(self, *arguments: str, cwd: Path, said: Path, complained: Path, environment: Mapping[str, str] | None = None) -> None:
        settings = ([str(LAUNCH), *arguments], cwd, _environment(environment), said, complained)
        self._process = forked.Process(target=_python, args=settings, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit status, None while it lives."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended."""
        self._process.join(timeout)
        status = self._process.exitcode
        assert status is not None, f"still there after {timeout} s"
        return status


def launch(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`python launch.py arguments`, ended."""
    with TemporaryDirectory() as folder:
        said, complained = Path(folder, "said"), Path(folder, "complained")
        process = Warm(*arguments, cwd=cwd, said=said, complained=complained, environment=environment)
        try:
            status = process.wait(LONGEST_S)
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, status, said.read_text(), complained.read_text())


def typed(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The same by a Python that begins with nothing."""
    command = [sys.executable, str(LAUNCH), *arguments]
    return subprocess.run(command, cwd=cwd, env=_environment(environment), capture_output=True, text=True, timeout=LONGEST_S, check=False)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(more or {})}


def _python(command: list[str], cwd: Path, environment: dict[str, str], said: Path, complained: Path) -> None:
    """In the fork: what Python does with a script, to its end."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((1, said), (2, complained)):
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), descriptor)
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        whole: Any = threading
        whole._shutdown()
        atexit._run_exitfuncs()
