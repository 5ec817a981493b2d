"""A sweep is a list of grids: each key of a grid has a list of values, and all their combinations are points. The command line narrows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from vat.errors import ConfigError, shown

Grid = Mapping[str, str]


def points_of(grids: Sequence[Grid], given: Mapping[str, str], expand: Callable[[str, str], list[str]]) -> list[list[str]]:
    """The points as lists of overrides, each once, in the order of the grids.

    A value on the command line that some grid has leaves out what other grids have instead of it; one that no grid has takes their values' place.

    Args:
        grids: Key → values as they stand on a command line, `2,4,8` or `range(3)`; none is one grid of what is given.
        given: The same for the keys of the command line.
        expand: The values that such a text stands for, each as an override `key=value`.
    Raises:
        ConfigError: A grid is none, or narrowing leaves nothing of the grids.
    """
    for n, one in enumerate(grids):
        if not isinstance(one, Mapping) or not one:
            rule = f"hydra.sweeper.grids[{n}]: must be settings and their values"
            raise ConfigError(f"{rule}; got {shown(one)}. Write it as in conf/sweeps/table2.yaml.")
    wanted = {key: expand(key, text) for key, text in given.items()}
    expanded = [{key: expand(key, str(text)) for key, text in grid.items()} for grid in grids or [{}]]
    narrows = {key for key, values in wanted.items() if any(set(values) & set(grid.get(key, ())) for grid in expanded)}
    points = []
    for grid in expanded:
        own = {key: [value for value in values if value in wanted[key]] if key in narrows else values for key, values in grid.items()}
        whole = own | {key: values for key, values in wanted.items() if key not in grid or key not in narrows}
        points += [list(point) for point in product(*whole.values())]
    if not points and any(grids):
        rule = f"sweep: the command line must leave a point of its grids; got none with {shown(' '.join(given))}"
        raise ConfigError(f"{rule}. Give fewer of these keys.")
    return [list(point) for point in dict.fromkeys(map(tuple, points))]
