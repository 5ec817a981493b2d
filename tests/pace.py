"""How fast this machine is: bounds of processor time are for a fast one."""

from __future__ import annotations

import time
from functools import lru_cache

FAST_S = 0.3
"""A fast machine's time to count to ten million in Python 3.11."""


@lru_cache
def slower() -> float:
    """By how much this one takes longer, the best of three times."""
    return max(1.0, min(_count_s() for _ in range(3)) / FAST_S)


def _count_s() -> float:
    began = time.process_time()
    for _ in range(10**7):
        pass
    return time.process_time() - began
