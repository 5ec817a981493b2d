"""How far the work is: one line with a rate and an ETA; in a log file a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vat.models.base import Progress


@contextmanager
def counter(name: str, total: int, *, unit: str) -> Iterator[Progress]:
    """Count up to `total` on stderr while the block runs."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    with tqdm(total=total, desc=name, unit=f" {unit}", mininterval=0.2 if live else 10, leave=True, dynamic_ncols=live) as bar:

        def progress(done: int, said: str = "") -> None:
            if said:
                bar.set_postfix_str(said, refresh=False)
            bar.update(done)

        yield progress
