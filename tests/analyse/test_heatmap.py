from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import image

from vat.analyse.heatmap import draw_coupling
from vat.theory.schwartz import SCHWARTZ


def test_the_picture_shows_what_moved_together_in_red_and_apart_in_blue(tmp_path: Path) -> None:
    coupling = np.eye(10)
    coupling[0, 1] = coupling[1, 0] = 1.0
    coupling[2, 3] = coupling[3, 2] = -1.0
    for name, matrix in (("coupled", coupling), ("still", np.eye(10))):
        draw_coupling(tmp_path / f"{name}.png", matrix, SCHWARTZ.values, title="title", caption="caption", target="power")
    coupled, still = (image.imread(tmp_path / f"{name}.png")[..., :3] for name in ("coupled", "still"))
    assert coupled.shape == still.shape
    changed = np.abs(coupled - still).max(axis=-1) > 0.2
    red, blue = (coupled[changed] @ np.array(sign) > 0.2 for sign in ((1, 0, -1), (-1, 0, 1)))
    assert red.sum() > 1000
    assert blue.sum() > 1000
