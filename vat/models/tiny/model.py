"""model=tiny: the embedded model as a local model whose files ship with the package."""

from __future__ import annotations

from functools import cached_property

from vat.models.base import Capabilities
from vat.models.loading import Source
from vat.models.local import LocalModel
from vat.models.tiny import CAVEAT, FOLDER
from vat.settings import settings


@settings
class TinyModel(LocalModel):
    """The embedded model; nothing to name."""

    @property
    def label(self) -> str:
        """tiny."""
        return "tiny"

    @cached_property
    def source(self) -> Source:
        """The folder inside the package."""
        return Source(str(FOLDER), None, None)

    def capabilities(self) -> Capabilities:
        """Trainable; its numbers are never a finding."""
        return Capabilities(trainable=True, caveat=CAVEAT)
