from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from vat.data.question import Question
from vat.data.template import TemplateData
from vat.errors import BackendError, ConfigError, VatError
from vat.models.encoding import Encoder
from vat.models.hf import HFModel
from vat.models.tiny import FOLDER
from vat.theory.schwartz import SCHWARTZ
from vat.types import Prompt, Shot

Local = Callable[..., HFModel]
SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
SMALL = {
    "vocab_size": 2944, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip
FAMILIES = {
    "full attention": lambda: transformers.LlamaConfig(**SMALL, initializer_range=0.2),
    "sliding window": lambda: transformers.MistralConfig(**SMALL, sliding_window=24, initializer_range=0.2),
    "hybrid windows and soft-capped logits": lambda: transformers.Gemma2Config(
        **SMALL, sliding_window=24, final_logit_softcapping=5.0, query_pre_attn_scalar=16, initializer_range=0.2
    ),
    "scaled logits": lambda: transformers.GraniteConfig(**SMALL, logits_scaling=4.0, initializer_range=0.2),
}


def prompts(count: int = 60, shots: int = 2, format: str = "chat") -> list[Prompt]:
    question = Question(format, True, False, 0, SCHWARTZ.definitions)  # type: ignore[arg-type]
    examples = [Shot(probe, 5) for probe in SPLIT.train.rows[:shots]]
    return [question.prompt(probe, examples) for probe in SPLIT.test.rows[:: len(SPLIT.test.rows) // count][:count]]


def plain_forward(folder: Path, asked: list[Prompt]) -> tuple[np.ndarray, np.ndarray]:
    """One prompt at a time, no cache, no padding: what every faster way must agree with."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    labels = [tokenizer.convert_tokens_to_ids(str(r)) for r in range(1, 6)]
    rows = []
    for prompt in asked:
        turns = [message._asdict() for message in prompt.messages]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=False)
        with torch.inference_mode():
            rows.append(model(input_ids=ids).logits[0, -1].float().log_softmax(-1)[labels].exp().double().numpy())
    mass = np.array(rows).sum(axis=1)
    return np.array(rows) / mass[:, None], mass


@pytest.mark.parametrize("shots", [0, 4])
def test_the_embedded_model_rates_as_a_plain_forward_pass_does(local: Local, shots: int) -> None:
    asked = prompts(shots=shots)
    scores = local().rate(asked)
    expected, mass = plain_forward(FOLDER, asked)
    np.testing.assert_allclose(scores.probability_N5, expected, atol=1e-5)
    np.testing.assert_allclose(scores.mass_N, mass, atol=1e-5)
    assert (scores.probability_N5.argmax(1) == expected.argmax(1)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_attention_and_head_rates_as_a_plain_forward_pass_does(family: str, local: Local, tmp_path: Path) -> None:
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(FAMILIES[family]()).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(tmp_path)
    asked = prompts(count=40, shots=4)
    scores = local(tmp_path, batch_tokens=2000).rate(asked)
    expected, mass = plain_forward(tmp_path, asked)
    np.testing.assert_allclose(scores.probability_N5, expected, atol=2e-5)
    np.testing.assert_allclose(scores.mass_N, mass, rtol=1e-3)
    assert np.ptp(expected, axis=0).max() > 0.01, "all answers alike would prove nothing"


def test_the_batch_size_changes_no_rating(local: Local) -> None:
    asked = prompts(shots=4)
    few, many = local(batch_tokens=600).rate(asked), local(batch_tokens=50_000).rate(asked)
    np.testing.assert_allclose(few.probability_N5, many.probability_N5, atol=1e-5)
    assert (few.probability_N5.argmax(1) == many.probability_N5.argmax(1)).all()


def test_the_same_call_gives_the_same_bits(local: Local) -> None:
    asked = prompts(shots=4)
    np.testing.assert_array_equal(local().rate(asked).probability_N5, local().rate(asked).probability_N5)


def test_progress_counts_every_prompt_once(local: Local) -> None:
    seen: list[int] = []
    local(batch_tokens=600).rate(prompts(), seen.append)
    assert sum(seen) == 60
    assert len(seen) > 1


def test_plain_text_can_be_rated_without_a_chat_template(local: Local, copy_of_tiny: Path) -> None:
    (copy_of_tiny / "chat_template.jinja").unlink()
    scores = local(copy_of_tiny).rate(prompts(format="plain"))
    assert (scores.mass_N > 0.5).all()


@pytest.mark.parametrize("one_token", [True, False])
def test_labels_in_plain_text_may_carry_their_space_or_leave_it_to_a_token_of_its_own(one_token: bool, local: Local, copy_of_tiny: Path) -> None:
    pieces = pre_tokenizers.Digits(individual_digits=True) if not one_token else pre_tokenizers.Whitespace()
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=one_token)])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([" 1 2 3 4 5 Your answer: 1"] * 50, trainer)
    transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>").save_pretrained(copy_of_tiny)
    tokenizer, asked = transformers.AutoTokenizer.from_pretrained(copy_of_tiny), prompts(count=4, format="plain", shots=0)
    ids, labels = Encoder(tokenizer, model="m", room=None, template_options={}).encode(asked)
    assert [tokenizer.decode([label]).strip() for label in labels] == list("12345")
    for row, prompt in zip(ids, asked, strict=True):
        for label, text in zip(labels, prompt.labels, strict=True):
            assert [*row, label] == tokenizer(prompt.text + text, add_special_tokens=False)["input_ids"]
    assert np.isfinite(local(copy_of_tiny).rate(asked).probability_N5).all()


def test_generate_continues_each_prompt_as_text(local: Local) -> None:
    said = local().generate(prompts(count=3), max_new_tokens=1)
    assert len(said) == 3
    assert all(text in "12345" for text in said)


def test_the_identity_follows_the_weights_and_the_dtype_and_not_the_place(local: Local, copy_of_tiny: Path) -> None:
    here = local().identity()
    assert local(copy_of_tiny, batch_tokens=10).identity() == here
    (copy_of_tiny / "generation_config.json").write_text("{}")
    assert local(copy_of_tiny).identity() != here


def test_unloading_gives_up_the_weights_and_the_next_call_brings_them_back(local: Local) -> None:
    model, asked = local(), prompts(count=4)
    before = model.rate(asked)
    model.unload()
    assert "_loaded" not in vars(model)
    np.testing.assert_array_equal(model.rate(asked).probability_N5, before.probability_N5)


def _without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def _with_merged_labels(folder: Path) -> None:
    """A tokenizer that sees "1" … "5" as the same unknown token."""
    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    made.chat_template = json.dumps("{% for m in messages %}{{ m['content'] }} {% endfor %}")[1:-1]
    made.save_pretrained(folder)


def _with_short_context(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 20}))


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("broken", "kind", "says"),
    [
        (_without_template, ConfigError, "Use elicit.format=plain"),
        (_with_merged_labels, ConfigError, "must be single tokens"),
        (_with_short_context, ConfigError, "at most 20 tokens"),
        (_without_config, BackendError, "must be a causal language model"),
    ],
)
def test_what_cannot_be_rated_is_said_in_one_line_before_the_weights_are_loaded(
    broken: Callable[[Path], None], kind: type[VatError], says: str, local: Local, copy_of_tiny: Path
) -> None:
    broken(copy_of_tiny)
    (copy_of_tiny / "model.safetensors").unlink()
    with pytest.raises(kind, match=says) as caught:
        local(copy_of_tiny).check(prompts(count=1)[0])
    assert "\n" not in str(caught.value)
    assert "; got " in str(caught.value)


def test_numbers_that_are_none_are_an_error_and_not_a_rating(local: Local, copy_of_tiny: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(copy_of_tiny)
    model.model.norm.weight.data.fill_(float("nan"))
    model.save_pretrained(copy_of_tiny)
    with pytest.raises(BackendError, match="got NaN"):
        local(copy_of_tiny).rate(prompts(count=2))


def test_a_device_that_is_not_there_is_named(local: Local) -> None:
    model = HFModel(name=str(FOLDER), revision=None, dtype="float32", device="cuda:77", batch_tokens=100, template_options={})
    with pytest.raises(ConfigError, match=r"model\.device=cuda:77: must be a device of this machine"):
        model.rate(prompts(count=1))


def test_a_hub_model_is_known_by_its_commit_and_not_by_its_name_or_branch(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "models--someone--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    (cache / "refs" / "v1").write_text(commit)
    shutil.copytree(FOLDER, cache / "snapshots" / commit)
    code = """
import numpy as np
from vat.models.encoding import Encoder
from vat.models.hf import HFModel
from vat.types import Prompt, Message
for revision in (None, "main", "v1"):
    model = HFModel(name="someone/tiny", revision=revision, dtype="float32", device="cpu", batch_tokens=99, template_options={})
    scores = model.rate([Prompt((Message("user", "Your answer:"),), "", tuple("12345"))])
    assert np.isfinite(scores.probability_N5).all()
    print(model.identity())
try:
    HFModel(name="someone/else", revision=None, dtype="float32", device="cpu", batch_tokens=99, template_options={}).identity()
except Exception as error:
    print(type(error).__name__, error)
"""
    settings = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=settings, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[:3] == [str({"revision": commit, "dtype": "float32", "template_options": {}})] * 3, done.stderr
    assert lines[3].startswith("BackendError model.name=someone/else: must be a causal language model")
    assert len(lines) == 4
