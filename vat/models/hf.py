"""model=hf model.name=…: any causal language model of Hugging Face, by name or from a local directory."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from vat.models.loading import Source
from vat.models.local import LocalModel
from vat.settings import settings


@settings
class HFModel(LocalModel):
    """A model by name.

    name: hub name or directory. revision: commit, tag or branch on the hub; the commit it stands for is what is recorded.
    adapter: directory of a LoRA adapter (peft, safetensors) that is put on it.
    """

    name: str
    revision: str | None
    adapter: str | None

    @property
    def label(self) -> str:
        """The name as given, and the adapter's."""
        return self.name if self.adapter is None else f"{self.name} + {Path(self.adapter).name}"

    @cached_property
    def source(self) -> Source:
        """As given."""
        return Source(self.name, self.revision, None if self.adapter is None else Path(self.adapter))
