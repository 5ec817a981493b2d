"""From couplings to taxes: VAT of a value, nVAT of the system, and how unevenly the tax is spread. One matrix or many at once.

Shapes: V values; `...` any number of leading axes (draws, permutations, runs).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from vat.errors import DataError
from vat.types import Bools, Floats

Form = Literal["rms", "frobenius"]


def value_tax(R: Floats) -> Floats:
    """VAT(u): how strongly each value's shifts go together with those of all others.

    Args:
        R: (..., V, V) coupling matrices, NaN where a coupling is not defined.
    Returns:
        (..., V) Euclidean norm of each row without its diagonal entry and its undefined ones, in [0, sqrt(V - 1)].
    Raises:
        DataError: R is not square, or infinite.
    Source: Value Alignment Tax, section 3.1. Differs: the diagonal, which is 1 by definition, is left out.
    """
    return np.asarray(np.sqrt(np.nansum(_off_diagonal(R) ** 2, axis=-1)), dtype=float)


def system_tax(R: Floats, *, form: Form = "rms", pairs: Bools | None = None) -> Floats:
    """nVAT: one number for the coupling of the whole system.

    Args:
        R: (..., V, V) coupling matrices, NaN where a coupling is not defined.
        form: `rms`, root mean square of the defined off-diagonal entries, in [0, 1] (0 if there is none);
            `frobenius`, the paper's formula ‖R‖_F / sqrt(V) with its unit diagonal, at least 1.
        pairs: (V, V) true where a coupling is defined; None takes a value whose row is 0 off the diagonal for one that never moved.
    Returns:
        (...) taxes.
    Raises:
        DataError: R is not square, or infinite.
    Source: Value Alignment Tax, section 3.1. Differs: `rms`; the paper's formula cannot give the values of its Table 2.
    """
    square_VV = _off_diagonal(R) ** 2
    n_values = square_VV.shape[-1]
    if form == "frobenius":
        return np.asarray(np.sqrt((np.nansum(square_VV, axis=(-1, -2)) + n_values) / n_values), dtype=float)
    if pairs is None:
        live_V = (np.nan_to_num(square_VV) != 0).any(axis=-1)
        pairs = live_V[..., :, None] & live_V[..., None, :] & ~np.eye(n_values, dtype=bool)
    defined_VV = pairs & ~np.isnan(square_VV)
    count = defined_VV.sum(axis=(-1, -2))
    return np.asarray(np.sqrt(np.where(defined_VV, square_VV, 0.0).sum(axis=(-1, -2)) / np.maximum(count, 1)), dtype=float)


def gini(x: Floats) -> Floats:
    """Gini coefficient of non-negative numbers: 0 if all are equal, (n - 1) / n if one has everything.

    Args:
        x: (..., n) numbers; NaN is left out.
    Returns:
        (...) coefficients; 0 if all numbers are 0, NaN if there is none.
    Raises:
        DataError: A negative or infinite number.
    Source: Value Alignment Tax, section 3.1 (tax centralization). Differs: none.
    """
    x = np.sort(np.asarray(x, dtype=float), axis=-1)  # NaN last
    if np.isinf(x).any() or (x < 0).any():
        raise DataError(f"x: a Gini coefficient needs finite numbers that are not negative; got {np.nanmin(x)} … {np.nanmax(x)}. Check the input.")
    count = (~np.isnan(x)).sum(axis=-1)
    total = np.nansum(x, axis=-1)
    rank = 2 * np.arange(1, x.shape[-1] + 1) - count[..., None] - 1
    spread = np.nansum(rank * x, axis=-1)
    equal = np.where(count > 0, 0.0, np.nan)
    return np.asarray(np.divide(spread, count * total, out=equal, where=total > 0), dtype=float)


def _off_diagonal(R: Floats) -> Floats:
    R = np.array(R, dtype=float)
    if R.ndim < 2 or R.shape[-2] != R.shape[-1] or np.isinf(R).any():
        raise DataError(f"R: must be a square matrix, finite or NaN; got shape {R.shape}, infinite: {bool(np.isinf(R).any())}. Use coupling_matrix.")
    diagonal = np.arange(R.shape[-1])
    R[..., diagonal, diagonal] = 0.0
    return R
