"""One browser, and one finished sweep on a real server of MLflow with its report, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra import compose, initialize_config_dir

from tests.browser.chromium import Browser, chromium
from tests.fanout.worlds import Server
from vat.analyse.figures.base import Figure
from vat.analyse.study import Study, study_of
from vat.config import AlignSpec, ReportSpec, read, read_report
from vat.fanout.sweep import run_points
from vat.programs.align import job_of
from vat.programs.report import report
from vat.track.job import Job

CONF = Path(__file__).parents[2] / "conf"
SWEEP = "mine & <b>yours</b>"
QUICK = (
    "model=tiny", "data.limit=26", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "measure.robustness.n_boot=99",
    "measure.circumplex.n_boot=99", "measure.circumplex.n_perm=99", "measure.amplification.n_boot=99",
)  # fmt: skip
POINTS = (("power", 2), ("power", 4), ("security", 4))


class Finished(NamedTuple):
    """A finished sweep: where its runs are, its jobs, the folder of its report, and that report's figures."""

    uri: str
    jobs: list[Job]
    folder: Path
    figures: dict[str, Figure]

    @property
    def one(self) -> Study:
        """A study of its last job."""
        return study_of(self.jobs[-1:])


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="session")
def finished(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """`browser` comes first: without one there is nothing to do."""
    place = tmp_path_factory.mktemp("finished")
    (place / "mlruns").mkdir()
    server = Server(place)
    where = (f"tracking.root={place}/mlruns", f"tracking.uri={server.uri}")
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            points: list[AlignSpec] = [read(compose("align", [*where, *QUICK, f"value={value}", f"shots={shots}"])) for value, shots in POINTS]
            asked: ReportSpec = read_report(compose("report", [*where, f"sweep='{SWEEP}'"]))
        server.wait()
        assert not any(row.get("failed") for row in run_points(points, sweep=SWEEP))
        yield Finished(server.uri, [job_of(point) for point in points], report(asked), dict(asked.figures))
    finally:
        server.kill()
