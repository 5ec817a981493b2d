"""A panel's verdicts, strictly read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elicit.desks import Speaker
from vat.elicit.desk import Desk
from vat.intensity.panel import Verdicts, panel_of, read_verdict
from vat.intensity.ranking import Target
from vat.track.store import PartStore

POWER = Target("power", "Having control over people.")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("1", True), ("0", False), (" 1.\n", True), ("Answer: 0", False), ("**1**", True), ("yes", True), ("No.", False), ("Implausible", False),
        ("<think>0 or 1? It fits.</think>1", True), ("", None), ("10", None), ("1 or 0", None), ("It is plausible that the score is 0.", None),
        ("not 1", None), ("I'm sorry, I can't.", None), ("<think>1", None),
    ],
)  # fmt: skip
def test_a_verdict_is_one_word_or_digit_and_nothing_else(reply: str, verdict: bool | None) -> None:
    assert read_verdict(reply) is verdict


def test_each_member_is_asked_about_each_text_and_what_cannot_be_read_is_nobodys_doubt(tmp_path: Path) -> None:
    says = {"one": lambda prompt: "0" if "I lead" in prompt.messages[0].content else "1", "two": lambda prompt: "1", "three": lambda prompt: "Well."}
    members = {f"panel {name}": Speaker(say) for name, say in says.items()}
    desk = Desk(members, lambda role: PartStore(tmp_path / role / "texts"), limit_usd=None)
    found = panel_of(desk, list(members), POWER, [("I lead.", 7.25), ("I  wait.", -0.1)])
    assert found == [Verdicts(1, 1, 1), Verdicts(0, 2, 1)]
    asked = members["panel one"].asked[0].messages[0].content
    assert "Score: +7.2" in asked
    assert "Meaning: Having control over people." in asked
    assert len(members["panel three"].asked) == 6, "three tries of each"
    assert panel_of(desk, [], POWER, [("I lead.", 7.0)]) == []
