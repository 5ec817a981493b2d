from __future__ import annotations

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from vat.models.encoding import Encoder
from vat.models.tiny import FOLDER
from vat.types import Message, Prompt

TINY = transformers.AutoTokenizer.from_pretrained(FOLDER)
LABELS = tuple("12345")
TALK = [
    Prompt((Message("user", f"Action: I help {n} friends."), Message("assistant", "4"), Message("user", f"Mine {n}:")), "", LABELS) for n in range(30)
]


def encoder(tokenizer: transformers.PreTrainedTokenizerFast) -> Encoder:
    return Encoder(tokenizer, model="m", room=None, template_options={})


def whole(tokenizer: transformers.PreTrainedTokenizerFast, prompt: Prompt) -> list[int]:
    ids = tokenizer.apply_chat_template([message._asdict() for message in prompt.messages], add_generation_prompt=True, return_dict=False)
    return list(ids)


def test_prompts_encoded_in_pieces_are_those_encoded_whole() -> None:
    for row, prompt in zip(encoder(TINY).encode(TALK).ids, TALK, strict=True):
        assert row.tolist() == whole(TINY, prompt)


def test_pieces_that_recur_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = Encoder._whole
    monkeypatch.setattr(Encoder, "_whole", lambda self, texts: asked.append(sum(map(len, texts))) or real(self, texts))
    same = [TALK[0]._replace(messages=(*TALK[0].messages[:2], Message("user", f"Mine {n}:"))) for n in range(200)]
    encoder(TINY).encode(same)
    texts = [TINY.apply_chat_template([m._asdict() for m in prompt.messages], tokenize=False) for prompt in same]
    assert sum(asked) < 0.5 * sum(map(len, texts))


def test_a_tokenizer_whose_pieces_depend_on_what_stands_before_is_given_whole_texts() -> None:
    """Its first piece gets a mark that later ones do not get."""
    words = Tokenizer(
        models.Unigram(
            [("<unk>", -10.0), *((piece, -1.0 - n / 100) for n, piece in enumerate(["▁", "1", "2", "3", "4", "5", "a", "b", "c", "<s>"]))], 0
        )
    )
    words.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<s>{% endfor %}"
    prompts = [Prompt((Message("user", text), Message("assistant", "4"), Message("user", "b")), "", LABELS) for text in ("abc", "bca", "cab")]
    for row, prompt in zip(encoder(tokenizer).encode(prompts).ids, prompts, strict=True):
        assert row.tolist() == whole(tokenizer, prompt)


def test_plain_text_begins_with_the_token_that_the_model_expects() -> None:
    words = Tokenizer(models.WordLevel({"<s>": 0, "a": 1, "1": 2, "2": 3, "3": 4, "4": 5, "5": 6, "<unk>": 7}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>")
    encoded = encoder(tokenizer).encode([Prompt((), "a a ", LABELS), Prompt((), "a ", LABELS)])
    assert [row.tolist() for row in encoded.ids] == [[0, 1, 1], [0, 1]]
    assert encoded.labels == [2, 3, 4, 5, 6]
    assert [row.tolist() for row in encoder(tokenizer).encode([Prompt((), "a ", LABELS)], max_new_tokens=3).ids] == [[0, 1]]


def test_many_texts_come_back_in_their_order() -> None:
    prompts = [Prompt((Message("user", f"I help {n} friends."),), "", LABELS) for n in range(1300)]
    ids = encoder(TINY).encode(prompts).ids
    assert len(ids) == 1300
    for n in (0, 511, 512, 1299):
        np.testing.assert_array_equal(ids[n], whole(TINY, prompts[n]))


def test_prompts_that_do_not_fit_are_known_before_they_are_asked() -> None:
    longest = max(len(whole(TINY, prompt)) for prompt in TALK)
    long = TALK[0]._replace(messages=(*TALK[0].messages[:2], Message("user", "Mine is a longer story, and it goes on and on.")))
    prompts = [*TALK[:3], long, *TALK[3:6]]
    tight = Encoder(TINY, model="m", room=longest + 1, template_options={})
    assert tight.too_long(prompts) == {3}
    assert tight.too_long(prompts, max_new_tokens=500) == set(range(7))
    assert encoder(TINY).too_long(prompts, max_new_tokens=10**6) == set(), "where the context is not known, nothing is known to be too long"
