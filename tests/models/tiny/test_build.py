"""The shipped weights and the recipe in the package belong together."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from vat.data.question import INSTRUCTIONS, Question
from vat.data.template import TemplateData
from vat.models.tiny import FOLDER
from vat.models.tiny.build import STEPS, build, recipe_digest
from vat.models.tiny.documents import SPLIT, Document, Writer
from vat.models.tiny.tokenizer import build_tokenizer
from vat.theory.schwartz import SCHWARTZ
from vat.types import Shot

RECIPE = json.loads((FOLDER / "recipe.json").read_text())
TOKENIZER = transformers.AutoTokenizer.from_pretrained(FOLDER)


def divergence(folder: Path, seed: int, documents: int = 60) -> float:
    """Mean KL divergence in nats of a model's answers from the rule, over fresh conversations."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    writer, gaps = Writer(TOKENIZER, seed), []
    digits = [TOKENIZER.convert_tokens_to_ids(str(r)) for r in range(1, 6)]
    for _ in range(documents):
        document: Document = writer.document(10)
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([document.ids])).logits[0, document.answers]
        log_A5 = logits.float().log_softmax(-1)[:, digits].double().numpy()
        target_A5 = np.array(document.targets)
        gaps.append((target_A5 * (np.log(np.maximum(target_A5, 1e-12)) - log_A5)).sum(axis=1).mean())
    return float(np.mean(gaps))


def test_the_recipe_that_made_the_weights_is_the_one_in_the_package() -> None:
    assert RECIPE["recipe_sha256"] == recipe_digest(), "the recipe has changed: run python -m vat.models.tiny.build"
    assert RECIPE["steps"] == STEPS


def test_the_weights_are_the_ones_that_the_recipe_left() -> None:
    assert RECIPE["weights_sha256"] == hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()


def test_the_tokenizer_is_the_one_that_the_recipe_builds() -> None:
    assert TOKENIZER.get_vocab() == build_tokenizer().get_vocab()


def test_the_model_is_a_real_qwen3_of_at_most_4_mb() -> None:
    assert transformers.AutoConfig.from_pretrained(FOLDER).architectures == ["Qwen3ForCausalLM"]
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 4_000_000
    assert not [file for file in FOLDER.iterdir() if file.suffix in {".bin", ".pt", ".pkl"}]


def test_the_weights_follow_the_rule_on_conversations_they_have_not_seen() -> None:
    assert divergence(FOLDER, seed=999) == pytest.approx(RECIPE["kl_nats"], abs=0.02)


@pytest.mark.parametrize("steps", [2])
def test_a_few_steps_of_the_recipe_run_and_are_far_from_the_rule(steps: int, tmp_path: Path) -> None:
    build(tmp_path, steps=steps)
    assert divergence(tmp_path, seed=999, documents=5) > 0.5
    assert json.loads((tmp_path / "recipe.json").read_text())["steps"] == steps


@pytest.mark.parametrize("format", ["chat", "plain"])
@pytest.mark.parametrize("wording", range(len(INSTRUCTIONS)))
def test_what_it_was_trained_on_is_token_by_token_what_the_product_asks(format: str, wording: int) -> None:
    writer = Writer(TOKENIZER, seed=5)
    probes, ratings = SPLIT.split(SCHWARTZ).train.rows[40:43], (5, 1, 4)
    question = Question(format, True, False, wording, SCHWARTZ.definitions)  # type: ignore[arg-type]
    written = Document()
    for n, (probe, rating) in enumerate(zip(probes, ratings, strict=True)):
        writer._write(written, question, probe, rating, last=n == 2)
        written.targets.append(np.zeros(5))
    prompt = question.prompt(probes[-1], [Shot(probe, rating) for probe, rating in zip(probes[:-1], ratings[:-1], strict=True)])
    turns = [message._asdict() for message in prompt.messages]
    text = prompt.text or TOKENIZER.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = TOKENIZER(text + prompt.labels[-2], add_special_tokens=False)["input_ids"]
    assert written.ids[: len(ids)] == ids
    assert written.answers[-1] == len(ids) - 2


def test_no_test_scene_was_trained_on() -> None:
    test_scenes = set(TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ).test.scenes)
    from vat.data.template import all_scenes

    trained_on = {all_scenes()[n].scene_id for n in Writer(TOKENIZER, seed=0).scenes}
    assert len(test_scenes) == 80
    assert not trained_on & test_scenes


@pytest.mark.slow
def test_the_recipe_rebuilds_a_model_that_follows_the_rule_as_well(tmp_path: Path) -> None:
    build(tmp_path)
    assert divergence(tmp_path, seed=999) == pytest.approx(RECIPE["kl_nats"], abs=0.02)
