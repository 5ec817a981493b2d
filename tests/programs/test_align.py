"""Parts of the main program that a whole job does not reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from vat.align.base import State
from vat.config import read
from vat.errors import BackendError
from vat.models.scripted import ScriptedModel
from vat.programs.align import _judged, job_of, split_of


@pytest.mark.parametrize("fails", [True, False])
def test_a_trained_state_is_given_up_also_if_judging_it_fails(fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its adapter lies on the model that other jobs of the process share."""
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        quick = [f"tracking.root={tmp_path}", "model=scripted", "data.limit=12"]
        spec, other = (read(compose("align", [*quick, f"model.sway={sway}"])) for sway in (0.5, 0.25))
    unloaded: list[object] = []
    monkeypatch.setattr(ScriptedModel, "unload", lambda model: unloaded.append(model))  # noqa: PLW0108 - a builtin is no method

    def judged() -> None:
        _judged(spec, job_of(spec), State(10, other.model, ()), split_of(spec.data, spec.theory), lambda done, said="": None)

    def stops(*arguments: object, **options: object) -> None:
        raise BackendError("it broke")

    if fails:
        monkeypatch.setattr(ScriptedModel, "ratings", stops)
        with pytest.raises(BackendError, match="it broke"):
            judged()
    else:
        judged()
    assert unloaded == [other.model]
