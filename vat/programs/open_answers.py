"""What models say to open questions, as it is kept and read."""

from __future__ import annotations

from collections.abc import Sequence

from vat.elicit.base import AnswerStore, answers_to
from vat.elicit.reader import after_thoughts
from vat.errors import BackendError
from vat.models.base import Model, Progress
from vat.types import Prompt


def said_openly(model: Model, prompts: Sequence[Prompt], *, max_new_tokens: int, store: AnswerStore, progress: Progress) -> list[str]:
    """What a model says, without what it thought; of a text that is continued, the first paragraph. What it has said is not asked again.

    Raises:
        ConfigError, BackendError: It cannot be asked or does not answer; a thought has no end within the tokens.
    """
    answers = answers_to(prompts, model.texts, max_new_tokens=max_new_tokens, store=store, progress=progress)
    spoken = [after_thoughts(text) for text in answers.text_N]
    said = [text.strip() for text in spoken if text is not None]
    if len(said) < len(spoken):
        rule = f"max_new_tokens={max_new_tokens}: must leave room for an answer after the thoughts of model {model.label}"
        raise BackendError(f"{rule}; got {len(spoken) - len(said)} of {len(spoken)} thoughts without an end. Raise it.")
    return said if prompts[0].messages else [text.split("\n\n")[0] for text in said]
