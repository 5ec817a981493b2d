"""model=hf model.name=…: any causal language model of Hugging Face, by name or from a local directory."""

from __future__ import annotations

from vat.models.local import LocalModel
from vat.settings import settings


@settings
class HFModel(LocalModel):
    """`name`: hub name or directory. `revision`: commit, tag or branch on the hub; the commit it stands for is what is recorded."""

    name: str
    revision: str | None

    @property
    def label(self) -> str:
        """The name as given."""
        return self.name

    @property
    def source(self) -> str:
        """The name as given."""
        return self.name

    @property
    def wanted_revision(self) -> str | None:
        """As given."""
        return self.revision
