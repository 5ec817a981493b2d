"""How a database of value intensities is made."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vat.intensity.calibration import Method
from vat.settings import settings


@settings
class DatabaseRecipe:
    """The settings of a database.

    corpus: a table of texts (columns text, and theory, value, direction, source where they are known), or null for the demonstration's.
    texts: of each value, at most. size: of a window. iterations: windows of each text. seed: of all draws.
    calibration: the map onto the scale. ridge: of the fit.
    flag_at: so many of the panel must find an intensity implausible for it to be flagged.
    license: as the data card names it.
    """

    corpus: str | None
    texts: Annotated[int, Field(ge=2)]
    size: Annotated[int, Field(ge=2)]
    iterations: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    calibration: Method
    ridge: Annotated[float, Field(gt=0)]
    flag_at: Annotated[int, Field(ge=1)]
    license: str | None
