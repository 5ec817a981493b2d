"""A random model and prompts as a study has them: our question, scenes and actions of realistic lengths in words that do not exist."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, trainers

from vat.data.question import Question
from vat.theory.schwartz import SCHWARTZ
from vat.types import LABELS, Probe, Prompt, Shot

QUESTION = Question("chat", True, False, 0, SCHWARTZ.definitions)
SCENES, PER_SCENE = 4, 2 * len(SCHWARTZ.items)
SCENE_TOKENS, ACTION_TOKENS = (120, 150), (20, 26)
VOCABULARY, INVENTED_WORDS = 12_000, 11_000
TURNS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MOST_SHOTS = 8


def write_model(folder: str) -> None:
    """A random Qwen3 of 31M parameters, and a tokenizer that knows our words and the invented ones."""
    draw = random.Random(0)
    vocabulary = invented_words()
    ours = [QUESTION.prompt(Probe("", "", "", "", item, 1, "")).messages[0].content for item in SCHWARTZ.items] + ["user\n", "assistant\n"]
    trained = tokenizers.Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(tokenizers.Regex(r"\p{N}"), "isolated")
    trained.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    trained.train_from_iterator(ours * 50 + [words(vocabulary, 200, draw) for _ in range(3000)], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=trained, pad_token="<pad>", eos_token="<|im_end|>", chat_template=TURNS)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=512, intermediate_size=1536, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4,
        head_dim=64, max_position_embeddings=4096, tie_word_embeddings=True, initializer_range=0.06,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)


def invented_words() -> list[str]:
    """Words of one to three syllables."""
    draw = random.Random(0)
    onsets, vowels, ends = [*"bcdfghklmnprstvw", "ch", "st", "tr"], [*"aeiou", "ai", "ou"], ["", *"nrst"]
    syllables = [onset + vowel + end for onset in onsets for vowel in vowels for end in ends]
    return ["".join(draw.choices(syllables, k=draw.choice((1, 1, 2, 2, 3)))) for _ in range(INVENTED_WORDS)]


def words(vocabulary: Sequence[str], count: int, draw: random.Random) -> str:
    """Drawn words, the first of the vocabulary being the frequent ones as in a language, with some full stops and commas."""
    drawn = draw.choices(vocabulary, [1 / (rank + 5) for rank in range(len(vocabulary))], k=count)
    marks = draw.choices(("", ".", ","), (87, 7, 6), k=count)
    return " ".join(word + mark for word, mark in zip(drawn, marks, strict=True))


def invented_probes(tokenizer: Any, *, actions: int) -> Sequence[Probe]:
    """Probes of all items and both polarities, in the order of our data. `actions`: how many a polarity has in a scene, one for all items or
    one for each."""
    draw, vocabulary = random.Random(1), invented_words()

    def text(shortest: int, longest: int) -> str:
        written = words(vocabulary, longest, draw)
        ends = [end for _, end in tokenizer(written, return_offsets_mapping=True)["offset_mapping"]]
        return written[: ends[draw.randint(shortest, longest) - 1]]

    probes: list[Probe] = []
    for n in range(SCENES + MOST_SHOTS):
        scene = text(*SCENE_TOKENS)
        acts = [[text(*ACTION_TOKENS) for _ in range(actions)] for _ in range(2)]
        for i, item in enumerate(SCHWARTZ.items):
            probes += [Probe(f"scene {n}", "", "", scene, item, polarity, acts[polarity < 0][i % actions]) for polarity in (1, -1)]
    return probes


def asked(probes: Sequence[Probe], shots: int) -> list[Prompt]:
    """Prompts for all probes of the first scenes, after examples of one probe each from the scenes that follow."""
    others = [probes[(SCENES + n) * PER_SCENE + 13 * n] for n in range(shots)]
    examples = [Shot(probe, LABELS[-1] if probe.polarity == 1 else LABELS[0]) for probe in others]
    return [QUESTION.prompt(probe, examples) for probe in probes[: SCENES * PER_SCENE]]
