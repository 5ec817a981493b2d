"""data=value_action_gap data.path=…: one-sentence actions written by an LLM for countries, topics and values (Shen et al. 2025).

Columns: country, topic, value (an item of the theory), polarity, action. The actions name no scene, so the scene is the country and
the topic, in words of ours.
"""

from __future__ import annotations

from pathlib import Path

from vat.data.base import DataSource, Probes
from vat.data.schema import probes_from_rows, read_table, scene_text
from vat.settings import settings
from vat.theory.base import Theory

COLUMNS = ("country", "topic", "value", "polarity", "action")


@settings
class ValueActionGap(DataSource):
    """`path`: the parquet file."""

    path: str

    def probes(self, theory: Theory) -> Probes:
        """One scene per country and topic.

        Raises:
            ConfigError: No such file.
            DataError: A row breaks a rule; the message names it.
        """
        path = Path(self.path)
        rows = ((line, row | {"item": row["value"], "scene": scene_text(row["country"], row["topic"])}) for line, row in read_table(path, COLUMNS))
        return probes_from_rows(rows, theory, where=str(path), item_column="value")
