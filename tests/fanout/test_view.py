"""What people see of a sweep while it goes."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from vat.fanout import view
from vat.fanout.view import View
from vat.fanout.work import Outcome
from vat.programs.progress import note_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_each_job_is_and_keeps_the_lines_of_those_that_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    note_progress(tmp_path, {"what": "tiny · power · step 20", "done": 30, "total": 100, "per_s": 10.0, "unit": "ratings", "said": "loss 0.5"})
    with View(5) as shown:
        shown.ended("tiny · baseline", Outcome({"steps": {"0": {}}, "seconds": 3.0}))
        shown.ended("tiny · tradition", Outcome(failure="it broke"))
        shown.show([("tiny · power", tmp_path), ("tiny · not yet seen", tmp_path / "none")], 2)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "[1/5] tiny · baseline: done, 3 s" in text
    assert re.search(r"1 done, 1 failed, 2 running, 2 waiting, about \d+ s left", text)
    assert re.search(r"tiny · power · step 20 +30/100 ratings +7 s +loss 0.5", text)
    assert "not yet seen" not in text


def test_elsewhere_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with View(3) as shown:
        shown.show([("tiny · power", tmp_path)], 2)
        assert not capsys.readouterr().out
        monkeypatch.setattr(view, "LINE_EVERY_S", 0.0)
        shown.show([("tiny · power", tmp_path)], 2)
        assert capsys.readouterr().out == "0 done, 1 running, 2 waiting\n"
