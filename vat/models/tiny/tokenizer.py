"""A byte-level BPE for template text: its tokens may span words, but never a line, a punctuation mark or a digit."""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vat.data.question import ANSWER_WITH, CUE, INSTRUCTIONS, POINTS, Question
from vat.data.template import SIDE, all_scenes, words
from vat.theory.schwartz import SCHWARTZ
from vat.types import Probe

VOCABULARY = 2944
ACTION_WEIGHT, VALUE_WEIGHT = 3, 8
"""How often a line counts when pairs are merged, so that actions and values take few tokens."""
CONTEXT = 2048
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_PIECES = Regex(r"[0-9]|[^\n.,:;0-9]+[.,:;]*\n?|[.,:;]+\n?|\n")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer; the same text gives the same tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        _texts(), trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=CONTEXT
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _texts() -> Iterator[str]:
    """Every line that a template prompt can contain, about as often as it should weigh."""
    question = Question(format="chat", name_item=True, reversed=False, wording=0, definitions=SCHWARTZ.definitions)
    for scene in all_scenes():
        yield from [f"Situation: {scene.text}\n"] * 2
    tree = words()
    for item in SCHWARTZ.items:
        for polarity, side in SIDE.items():
            for phrase in tree["actions"][item][side]:
                for frame in tree["frames"][side]:
                    action, value = question.block(Probe("", "", "", "", item, polarity, frame.format(act=phrase)))[1:3]
                    yield from [f"{action}\n"] * ACTION_WEIGHT
            yield from [f"{value}\n"] * VALUE_WEIGHT
    fixed = [*INSTRUCTIONS, ANSWER_WITH, CUE, "user", "assistant", *(f"1 = {point}" for point in POINTS), "1\n"]
    for line in fixed * 400:
        yield f"{line}\n"
