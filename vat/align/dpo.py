"""strategy=dpo: direct preference optimisation of the answer that the direction asks for over its opposite (Value Alignment Tax, section 6.2)."""

from __future__ import annotations

from typing import ClassVar, Literal

from vat.align.training import TrainingStrategy
from vat.settings import settings


@settings
class DPO(TrainingStrategy):
    """TRL's DPOTrainer against the model before training."""

    kind: ClassVar[Literal["sft", "dpo"]] = "dpo"
