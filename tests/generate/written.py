"""Actions as a model might write them, with skews on order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

ITEMS = {"helpful": "benevolence", "honest": "benevolence", "wealth": "power", "authority": "power", "daring": "stimulation"}


def written(*, countries: int = 4, topics: int = 3, scenes: int = 2, seed: int = 0, cue: str = "", longer: int = 0) -> pd.DataFrame:
    """Random words, eight on average. `cue` stands in three of ten supporting actions, which are `longer` by some words."""
    random = np.random.default_rng(seed)
    rows = []
    for country, topic, n in product(range(countries), range(topics), range(scenes)):
        context = (f"{country}/{topic}/{n}", f"country {country}", f"topic {topic}", f"Scene {n} about topic {topic} in country {country}.")
        for (item, value), polarity in product(ITEMS.items(), (1, -1)):
            supports = polarity == 1
            words = [f"w{word}" for word in random.integers(0, 150, size=random.integers(7, 10) + longer * supports)]
            if cue and supports and random.random() < 0.3:
                words[0] = cue
            rows.append((*context, value, item, polarity, f"I {' '.join(words)}."))
    return pd.DataFrame(rows, columns=["scene_id", "country", "topic", "scene", "value", "item", "polarity", "action"])
