"""The points of a sweep, composed. Hydra reads every file again for each point, 50 ms; points that differ in plain values only share that work.

They even share the configuration, as to copy one takes 2 ms: each is to be read before the next is composed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError


class Composer:
    """Composes points of one sweep as Hydra does."""

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        self._loader, self._config = context.config_loader, config
        self._parser = OverridesParser.create(config_loader=self._loader)
        self._composed: dict[tuple[str, ...], _Composed] = {}
        self._is_group: dict[str, bool] = {}
        self._known: dict[str, Override] = {}

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of a point, without Hydra's own; it is changed when the next is composed.

        Raises:
            HydraException: It does not compose.
        """
        parsed = [(text, self._parsed(text)) for text in overrides]
        plain = [one for text, one in parsed if self._is_plain(text, one.key_or_group)]
        shared = tuple(text for text, one in parsed if not self._is_plain(text, one.key_or_group))
        if shared not in self._composed:
            whole = self._loader.load_sweep_config(self._config, list(shared))
            with open_dict(whole):
                del whole["hydra"]  # half of it, and of no use to a point
            self._composed[shared] = _Composed(whole)
        return self._composed[shared].having({one.key_or_group: one.value() for one in plain})

    def _parsed(self, text: str) -> Override:
        if text not in self._known:
            self._known[text] = self._parser.parse_override(text)
        return self._known[text]

    def _is_plain(self, text: str, key: str) -> bool:
        """Whether an override sets a value that is there; others choose an option of a group, add, delete or set up Hydra."""
        if key not in self._is_group:
            self._is_group[key] = bool(self._loader.get_group_options(key))
        return text[0] not in "+~" and not self._is_group[key] and key.partition(".")[0] != "hydra" and "@" not in key


class _Composed:
    """A configuration whose plain values are changed to and fro."""

    def __init__(self, cfg: DictConfig) -> None:
        self._cfg, self._changes = cfg, dict[str, dict[str, Any]]()
        self._unchanged: Any = OmegaConf.to_container(cfg)

    def having(self, values: Mapping[str, Any]) -> DictConfig:
        """The configuration with these values, and all others as they were."""
        wanted: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            wanted.setdefault(key.partition(".")[0], {})[key] = value
        for top in [top for top, changes in self._changes.items() if wanted.get(top) != changes]:
            OmegaConf.update(self._cfg, top, self._unchanged[top], merge=False)
            del self._changes[top]
        for top, changes in wanted.items():
            if top not in self._unchanged:
                raise ConfigCompositionException(f"Could not override '{top}'.")
            if top not in self._changes:
                self._change(top, changes)
        return self._cfg

    def _change(self, top: str, changes: dict[str, Any]) -> None:
        self._changes[top] = {}  # until all are made: one of them may be refused
        for key, value in changes.items():
            try:
                OmegaConf.update(self._cfg, key, value, merge=True)
            except (ConfigAttributeError, ConfigKeyError) as error:
                raise ConfigCompositionException(f"Could not override '{key}'.") from error
        self._changes[top] = changes
