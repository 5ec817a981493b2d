"""Writing prompts: what a model sees, and that a frozen one stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vat.errors import ConfigError, DataError
from vat.generate.prompts import Example, WritingPrompt, base_prompt, read_prompt, words

GIVEN = {"country": "Chile", "topic": "Religion"}
PROMPT = WritingPrompt("scene", "Write well.", (Example((("country", "Peru"), ("topic", "Work")), "A hall in Lima."),), "Spanish")


def test_instruction_and_form_come_first_then_examples_then_what_is_given() -> None:
    first, answer, last = PROMPT.prompt(GIVEN, 3).messages
    assert first.content.startswith("Write well.\n\nWrite in Spanish, at most 120 words")
    assert first.content.endswith("Country: Peru\nTopic: Work\nScene:")
    assert (answer.role, answer.content) == ("assistant", "A hall in Lima.")
    assert last.content == "Country: Chile\nTopic: Religion\nScene:"
    assert PROMPT.prompt(GIVEN, 3).draw == 3


def test_the_form_stays_whatever_instruction_is_tried() -> None:
    for kind in ("scene", "action"):
        form = " ".join(words()[kind]["form"].format(language="English").split())
        for prompt in (base_prompt(kind, "English"), WritingPrompt(kind, "Another.", (), "English")):  # type: ignore[arg-type]
            assert form in prompt.prompt(GIVEN).messages[0].content


def test_a_digest_stands_for_all_that_a_model_sees() -> None:
    others = [
        WritingPrompt("scene", "Write badly.", PROMPT.examples, "Spanish"), WritingPrompt("scene", "Write well.", (), "Spanish"),
        WritingPrompt("action", "Write well.", PROMPT.examples, "Spanish"), WritingPrompt("scene", "Write well.", PROMPT.examples, "Hindi"),
    ]  # fmt: skip
    assert len({prompt.digest for prompt in [PROMPT, *others]}) == 5


def test_a_frozen_prompt_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(PROMPT.to_json()))
    assert read_prompt(path, "scene", "Spanish") == PROMPT


@pytest.mark.parametrize(
    ("change", "kind", "language", "message"),
    [
        (lambda tree: tree | {"instruction": "Else."}, "scene", "Spanish", "must be as it was frozen"),
        (lambda tree: {"kind": "scene"}, "scene", "Spanish", "must be a prompt as a dataset has left it"),
        (lambda tree: [], "scene", "Spanish", "must be a prompt as a dataset has left it"),
        (lambda tree: tree, "action", "Spanish", "must be the prompt of a action in Spanish; got one of a scene"),
        (lambda tree: tree, "scene", "English", "got one of a scene in Spanish"),
    ],
)
def test_a_file_that_is_no_such_prompt_is_refused_in_a_line(tmp_path: Path, change, kind, language, message) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(change(PROMPT.to_json())))
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        read_prompt(path, kind, language)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="must be a file"):
        read_prompt(tmp_path / "nowhere.json", kind, language)
