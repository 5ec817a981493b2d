"""Settings of the measure, as conf/measure/*.yaml gives them. The measure itself takes plain arguments and needs none of this."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vat.settings import settings


@settings
class TaxSettings:
    """`n_perm`: permutations of each p-value; `seed`: of the permutations."""

    n_perm: Annotated[int, Field(ge=99)]
    seed: int
