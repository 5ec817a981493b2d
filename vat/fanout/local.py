"""cluster=local: this machine, one job after the other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vat.settings import settings


@settings
class LocalCluster:
    """`cpus`: threads of a local model, None for as many as the machine has."""

    cpus: Annotated[int, Field(ge=1, le=1024)] | None

    def apply(self) -> None:
        """Set the number of threads of this process."""
        if self.cpus is not None:
            import torch

            torch.set_num_threads(self.cpus)
