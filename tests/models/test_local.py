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
from vat.models.base import Kept
from vat.models.cached import CachedForward
from vat.models.cascade import CascadeForward
from vat.models.encoding import Encoder
from vat.models.hf import HFModel
from vat.models.prefix_tree import Ends, Pass, prefix_tree
from vat.models.tiny import FOLDER
from vat.models.tree_attention import Unsafe
from vat.theory.schwartz import SCHWARTZ
from vat.types import Prompt, Shot, gathered

Local = Callable[..., HFModel]
SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
SMALL = {
    "vocab_size": 2944, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip
WIDE = {**SMALL, "initializer_range": 0.2}
OTHER = {"vocab_size": 2944, "initializer_range": 0.2, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1}
FAMILIES: dict[str, tuple[Callable[[], transformers.PreTrainedConfig], str]] = {
    "full attention": (lambda: transformers.LlamaConfig(**WIDE), "cascade"),
    "scaled logits": (lambda: transformers.GraniteConfig(**WIDE, logits_scaling=4.0), "cascade"),
    "learned positions": (lambda: transformers.GPT2Config(**OTHER, n_embd=64, n_layer=4, n_head=4, n_positions=2048), "cascade"),
    "a mixture of experts": (
        lambda: transformers.Qwen3MoeConfig(**WIDE, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=48), "cascade"
    ),
    "a window longer than the prompts": (lambda: transformers.MistralConfig(**WIDE, sliding_window=1024), "cascade"),
    "a sliding window": (lambda: transformers.MistralConfig(**WIDE, sliding_window=24), "portable"),
    "hybrid windows": (lambda: transformers.Gemma3TextConfig(**WIDE, sliding_window=24, query_pre_attn_scalar=16), "portable"),
    "hybrid windows and soft-capped logits": (
        lambda: transformers.Gemma2Config(**WIDE, sliding_window=24, final_logit_softcapping=5.0, query_pre_attn_scalar=16), "portable"
    ),
    "attention sinks": (
        lambda: transformers.GptOssConfig(**WIDE, sliding_window=24, num_local_experts=4, num_experts_per_tok=2, rope_scaling=None), "portable"
    ),
    "linear attention and full attention": (
        lambda: transformers.Qwen3NextConfig(
            **WIDE, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16, num_experts=0
        ), "portable",
    ),
    "biases instead of positions": (
        lambda: transformers.BloomConfig(**OTHER, hidden_size=64, n_layer=4, n_head=4), "portable"
    ),
}  # fmt: skip


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


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A random model of each kind of attention, positions and head, and the way that is expected to be right for it."""
    folder = tmp_path_factory.mktemp("family")
    config, way = FAMILIES[request.param]
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config()).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(folder)
    return folder, way


@pytest.mark.parametrize("attention", ["auto", "portable"])
@pytest.mark.parametrize("gib", [0.002, 1.0])
def test_every_kind_of_model_rates_as_a_plain_forward_pass_does(attention: str, gib: float, family: tuple[Path, str], local: Local) -> None:
    folder, way = family
    asked = prompts(count=40, shots=4)
    model = local(folder, attention=attention)
    if attention == "auto":
        assert type(model._forward(600)) is {"cascade": CascadeForward, "portable": CachedForward}[way], model._cascade
    scores = local(folder, attention=attention, memory_gib=gib).rate(asked)
    expected, mass = plain_forward(folder, asked)
    np.testing.assert_allclose(scores.probability_N5, expected, atol=2e-5)
    np.testing.assert_allclose(np.log(scores.mass_N), np.log(mass), atol=1e-4)
    assert (scores.probability_N5.argmax(1) == expected.argmax(1)).all()
    assert np.ptp(expected, axis=0).max() > 0.01, "all answers alike would prove nothing"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("biases instead of positions", "0 of 4 layers take attention from outside"),
        ("linear attention and full attention", "1 of 4 layers take attention from outside"),
        ("hybrid windows and soft-capped logits", "a layer asks for more than plain attention"),
        ("attention sinks", "a layer asks for more than plain attention"),
    ],
)
def test_why_a_model_is_left_to_the_portable_way_is_known(kind: str, why: str) -> None:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(FAMILIES[kind][0]()).eval()
    with torch.inference_mode(), pytest.raises(Unsafe, match=why):
        CascadeForward(model).window()


def test_what_a_layer_does_beyond_plain_attention_and_does_not_tell_shows_in_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vat.models.tree_attention.UNKNOWN_HERE", ())
    torch.manual_seed(0)
    config = transformers.Gemma2Config(**WIDE, attn_logit_softcapping=20.0, query_pre_attn_scalar=16)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.inference_mode(), pytest.raises(Unsafe, match="it differs from a plain forward pass by"):
        CascadeForward(model).window()


def test_a_window_shorter_than_a_prompt_is_left_to_the_portable_way(local: Local, tmp_path: Path) -> None:
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(transformers.MistralConfig(**WIDE, sliding_window=100)).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(tmp_path)
    model = local(tmp_path)
    assert [type(model._forward(longest)) for longest in (100, 101)] == [CascadeForward, CachedForward]
    asked = prompts(count=30, shots=4)
    np.testing.assert_allclose(model.rate(asked).probability_N5, plain_forward(tmp_path, asked)[0], atol=2e-5)
    with pytest.raises(ConfigError, match=r"model\.attention=cascade: must be right for the model; got .* exceed its attention window of 100"):
        local(tmp_path, attention="cascade").rate(asked)


def test_half_precision_is_near_the_plain_forward_pass_and_is_recorded(local: Local) -> None:
    asked = prompts(count=200, shots=4)
    half = local(dtype="bfloat16")
    assert half.identity()["dtype"] == "bfloat16"
    assert type(half._forward(600)) is CascadeForward
    assert np.abs(half.rate(asked).probability_N5 - local().rate(asked).probability_N5).max() < 0.15


@pytest.mark.parametrize("attention", ["cascade", "portable"])
def test_the_room_there_is_changes_no_rating(attention: str, local: Local) -> None:
    asked = prompts(shots=4)
    few, many = (local(attention=attention, memory_gib=gib).rate(asked) for gib in (0.003, 2.0))
    np.testing.assert_allclose(few.probability_N5, many.probability_N5, atol=1e-5)
    assert (few.probability_N5.argmax(1) == many.probability_N5.argmax(1)).all()


@pytest.mark.parametrize("attention", ["cascade", "portable"])
def test_an_interrupted_list_goes_on_with_the_same_bits(attention: str, local: Local) -> None:
    asked = prompts(count=300, shots=4)
    model = local(attention=attention, memory_gib=0.004)
    whole = list(model.ratings(asked, max_new_tokens=1))
    assert len(whole) > 8
    kept = frozenset(row for part in whole[1:5] for row in part.rows)
    rest = list(model.ratings(asked, max_new_tokens=1, kept=Kept(kept)))
    assert [part.rows for part in rest] == [part.rows for part in whole if not kept.issuperset(part.rows)]
    mixed, undisturbed = gathered(len(asked), [*whole[1:5], *rest]), gathered(len(asked), whole)
    np.testing.assert_array_equal(mixed.probability_N5, undisturbed.probability_N5)
    np.testing.assert_array_equal(mixed.mass_N, undisturbed.mass_N)


@pytest.mark.parametrize("rated", [True, False])
def test_what_is_kept_is_not_given_again_even_where_others_of_its_pass_are_missing(rated: bool, local: Local) -> None:
    asked = prompts(count=40)
    answer = local().ratings if rated else local().texts
    parts = list(answer(asked, max_new_tokens=2, kept=Kept(frozenset(range(0, 40, 3)))))
    assert sorted(row for part in parts for row in part.rows) == [row for row in range(40) if row % 3]
    assert all(len(part.rows) == len(part.answers.mass_N) for part in parts)


def test_every_token_is_computed_once_and_none_is_padding(local: Local) -> None:
    asked = [Question("chat", True, False, 0, SCHWARTZ.definitions).prompt(probe) for probe in SPLIT.test.rows[:448]]
    model, seen = local(), []
    model.rate(asked[:2])
    model._loaded.get_input_embeddings().register_forward_pre_hook(lambda _, given: seen.append(given[0].numel()))
    model.rate(asked)
    ids = model._encoder.encode(asked).ids
    nodes = [node for tree in prefix_tree(ids, shortest=CascadeForward.shortest) for node in tree.walk()]
    assert sum(seen) == sum(len(node.tokens) for node in nodes) < 0.5 * sum(map(len, ids))


def test_a_lora_adapter_is_part_of_the_model_and_of_its_identity(local: Local, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_pretrained(FOLDER)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "mine")
    asked = prompts(count=40, shots=4)
    model = local(adapter=str(tmp_path / "mine"))
    assert model.label.endswith(" + mine")
    assert model.identity().keys() - local().identity().keys() == {"adapter"}
    assert type(model._forward(600)) is CascadeForward
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(tmp_path / "merged")
    expected = plain_forward(tmp_path / "merged", asked)[0]
    np.testing.assert_allclose(model.rate(asked).probability_N5, expected, atol=2e-5)
    np.testing.assert_allclose(local(adapter=str(tmp_path / "mine"), attention="portable").rate(asked).probability_N5, expected, atol=2e-5)
    assert np.abs(expected - local().rate(asked).probability_N5).max() > 0.05


def test_adapters_of_one_training_share_the_model_and_leave_it_as_it_was(local: Local, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    asked, base = prompts(count=30, shots=2), local()
    before = base.rate(asked).probability_N5
    for seed in (1, 2):
        torch.manual_seed(seed)
        trained = transformers.AutoModelForCausalLM.from_pretrained(FOLDER)
        adapted = peft.get_peft_model(trained, peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
        adapted.save_pretrained(tmp_path / f"{seed}")
    for seed in (1, 2, 1):
        shared, alone = base.trained(tmp_path / f"{seed}", adapter=True), local(adapter=str(tmp_path / f"{seed}"))
        np.testing.assert_array_equal(shared.rate(asked).probability_N5, alone.rate(asked).probability_N5)
        assert shared._loaded is base._loaded
        shared.unload()
    np.testing.assert_array_equal(base.rate(asked).probability_N5, before)
    assert np.abs(before - alone.rate(asked).probability_N5).max() > 0.05


def test_an_adapter_that_is_not_one_or_of_another_model_is_named(local: Local, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    with pytest.raises(ConfigError, match=r"model\.adapter=.*: must be the directory of a LoRA adapter with adapter_config\.json; got none"):
        local(adapter=str(tmp_path)).identity()
    other = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**WIDE))
    peft.get_peft_model(other, peft.LoraConfig(r=4, target_modules="all-linear")).save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"model\.adapter=.*other: must fit the model") as caught:
        local(adapter=str(tmp_path / "other")).rate(prompts(count=2))
    assert "\n" not in str(caught.value)


def test_where_memory_runs_out_in_spite_of_the_estimate_smaller_passes_go_on(
    local: Local, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, real, sizes = prompts(count=200, shots=2), CascadeForward.last_logits, []

    def small(self: CascadeForward, step: Pass, chunk: int) -> Ends:
        sizes.append(len(step.rows))
        if len(step.rows) > 20:
            raise torch.OutOfMemoryError
        return real(self, step, chunk)

    expected = local().rate(asked)
    monkeypatch.setattr(CascadeForward, "last_logits", small)
    found = local(memory_gib=0.5).rate(asked)
    np.testing.assert_allclose(found.probability_N5, expected.probability_N5, atol=1e-5)
    assert sizes[0] > 20 > sizes[-1] > 0
    assert "out of memory; going on as with model.memory_gib=0.0" in capsys.readouterr().err
    monkeypatch.setattr(CascadeForward, "last_logits", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError))
    with pytest.raises(BackendError, match="a single prompt must fit into memory"):
        local().rate(asked)


def test_a_prompt_that_cannot_fit_into_the_room_given_is_refused_with_what_it_takes(local: Local) -> None:
    with pytest.raises(
        ConfigError, match=r"model\.memory_gib=0\.0001: must hold the caches of the longest prompt, \d+ tokens; got less than the 0\.0"
    ):
        local(memory_gib=0.0001).rate(prompts(count=2, shots=8))


def test_the_same_call_gives_the_same_bits(local: Local) -> None:
    asked = prompts(shots=4)
    np.testing.assert_array_equal(local().rate(asked).probability_N5, local().rate(asked).probability_N5)


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
    ids, labels, _ = Encoder(tokenizer, model="m", room=None, template_options={}).encode(asked)
    assert [tokenizer.decode([label]).strip() for label in labels] == list("12345")
    for row, prompt in zip(ids, asked, strict=True):
        for label, text in zip(labels, prompt.labels, strict=True):
            assert [*row.tolist(), label] == tokenizer(prompt.text + text, add_special_tokens=False)["input_ids"]
    assert np.isfinite(local(copy_of_tiny).rate(asked).probability_N5).all()


def test_generate_continues_each_prompt_as_text(local: Local) -> None:
    said = local().generate(prompts(count=3), max_new_tokens=1)
    assert len(said) == 3
    assert all(text in "12345" for text in said)


def test_prompts_side_by_side_are_continued_as_each_alone(family: tuple[Path, str], local: Local) -> None:
    folder, _ = family
    asked = [*prompts(count=6, shots=2), *prompts(count=6, shots=0)]
    model = local(folder)
    assert model.generate(asked, max_new_tokens=8) == [model.generate([prompt], max_new_tokens=8)[0] for prompt in asked]


def test_an_interrupted_list_of_texts_goes_on_where_it_was(local: Local) -> None:
    asked, model = prompts(count=60, shots=2), local(memory_gib=0.003)
    whole = list(model.texts(asked, max_new_tokens=4))
    assert len(whole) > 3
    kept = frozenset(whole[1].rows)
    rest = list(model.texts(asked, max_new_tokens=4, kept=Kept(kept)))
    assert [part.rows for part in rest] == [part.rows for part in whole if part is not whole[1]]


def test_a_thought_that_the_template_opens_stands_in_the_text(local: Local, copy_of_tiny: Path) -> None:
    template = copy_of_tiny / "chat_template.jinja"
    template.write_text(template.read_text() + "{{ '<think>' }}")
    assert all(text.startswith("<think>") for text in local(copy_of_tiny).generate(prompts(count=2), max_new_tokens=2))
    template.write_text(template.read_text() + "{{ '</think>' }}")
    assert not any("<think>" in text for text in local(copy_of_tiny).generate(prompts(count=2), max_new_tokens=2))


def test_texts_need_no_single_tokens_for_the_labels_but_room_for_what_is_written(local: Local, copy_of_tiny: Path) -> None:
    _with_merged_labels(copy_of_tiny)
    local(copy_of_tiny).check(prompts(count=1)[0], max_new_tokens=4)
    with pytest.raises(ConfigError, match=r"at most 2048 tokens; got \d+, 4000 of them to write"):
        local().check(prompts(count=1)[0], max_new_tokens=4000)


def test_a_prompt_that_says_nothing_is_refused(local: Local) -> None:
    with pytest.raises(ConfigError, match="a prompt must say something; got an empty one"):
        local().check(Prompt((), "", tuple("12345")))


def test_the_identity_follows_the_weights_and_the_dtype_and_not_the_place(local: Local, copy_of_tiny: Path) -> None:
    here = local().identity()
    assert local(copy_of_tiny, memory_gib=0.1, attention="portable").identity() == here
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
    model = local(device="cuda:77")
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
SETTINGS = {"adapter": None, "dtype": "float32", "device": "cpu", "memory_gib": None, "attention": "auto", "template_options": {}}
for revision in (None, "main", "v1"):
    model = HFModel(name="someone/tiny", revision=revision, **SETTINGS)
    scores = model.rate([Prompt((Message("user", "Your answer:"),), "", tuple("12345"))])
    assert np.isfinite(scores.probability_N5).all()
    print(model.identity())
try:
    HFModel(name="someone/else", revision=None, **SETTINGS).identity()
except Exception as error:
    print(type(error).__name__, error)
"""
    settings = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=settings, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[:3] == [str({"revision": commit, "dtype": "float32", "template_options": {}})] * 3, done.stderr
    assert lines[3].startswith("BackendError model.name=someone/else: must be a causal language model")
    assert len(lines) == 4
