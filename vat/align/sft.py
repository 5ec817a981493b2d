"""strategy=sft: supervised fine-tuning on the answers that the direction asks for (Value Alignment Tax, section 6.2)."""

from __future__ import annotations

from typing import ClassVar, Literal

from vat.align.training import TrainingStrategy
from vat.settings import settings


@settings
class SFT(TrainingStrategy):
    """TRL's SFTTrainer; the loss is that of the answer alone."""

    kind: ClassVar[Literal["sft", "dpo"]] = "sft"
