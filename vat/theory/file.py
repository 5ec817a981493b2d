"""The configured theory: one that ships with the package, by name, or a user's own YAML file, by path."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vat.settings import settings
from vat.theory.base import Theory, load_theory

_SHIPPED = Path(__file__).parent


@settings
class TheoryFile:
    """`path` is a YAML file, or the bare name of a theory in this folder."""

    path: str

    def load(self) -> Theory:
        """Read the file, once per process.

        Raises:
            ConfigError: No such file.
            DataError: The file breaks a rule.
        """
        shipped = _SHIPPED / f"{self.path}.yaml"
        return _load(shipped if shipped.is_file() else Path(self.path).absolute())


@lru_cache(maxsize=8)
def _load(path: Path) -> Theory:
    return load_theory(path)
