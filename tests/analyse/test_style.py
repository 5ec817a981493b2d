"""Colours that people who see fewer of them can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vat.analyse.style import APART, COLOURS, MARKERS, TOGETHER

# What remains of linear RGB for people without one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1).
SEEN = {
    "all": np.eye(3),
    "no red cones": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no green cones": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no blue cones": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as somebody sees it."""
    rgb = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(seen @ linear, 0, 1) / (XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", SEEN)
def test_no_two_colours_look_alike(kind: str) -> None:
    """A difference of 2.3 is just noticed side by side; 10 is seen across a figure."""
    apart = {(a, b): float(np.linalg.norm(lab(a, SEEN[kind]) - lab(b, SEEN[kind]))) for a, b in combinations(COLOURS, 2)}
    assert min(apart.values()) > 10, min(apart, key=lambda pair: apart[pair])
    assert float(np.linalg.norm(lab(TOGETHER, SEEN[kind]) - lab(APART, SEEN[kind]))) > 30


def test_ten_strategies_differ_in_marker_too_for_those_who_print_in_grey() -> None:
    assert len(set(MARKERS)) == len(MARKERS) == len(COLOURS)
