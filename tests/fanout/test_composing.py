"""What is composed in a shorter way is what Hydra composes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vat.fanout.composing import Composer

CONF = Path(__file__).parents[2] / "conf"
POINTS = {
    "defaults": [],
    "values": ["value=security", "shots=8", "replicate=3", "measure.tax.n_perm=99"],
    "options": ["model=scripted", "strategy=sft", "cluster/deepspeed=zero2"],
    "both": ["strategy=dpo", "strategy.steps=12", "model=hf", "model.name=a/b", "strategy.lora={r: 4, target_modules: all-linear}"],
    "added and taken away": ["strategy=sft", "+strategy.trainer.warmup_steps=10", "~measure.tax.n_boot"],
    "quoted": ["model=hf", "model.name='a b,c'", "tracking.root=some/where"],
    "an interpolation": ["shots=2", "strategy=steering"],
    "a list": ["measure=[tax,robustness]", "data.limit=12"],
    "null": ["direction=null", "elicit.wording=2"],
}


@pytest.fixture
def hydra_config() -> tuple[Hydra, DictConfig]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        return hydra, hydra.compose_config("align", [], run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False)


def test_every_point_is_what_hydra_composes_whatever_came_before(hydra_config: tuple[Hydra, DictConfig]) -> None:
    hydra, config = hydra_config

    class Context:
        config_loader = hydra.config_loader

    composer = Composer(Context(), config)  # type: ignore[arg-type]
    for _ in range(2):
        for name, overrides in POINTS.items():
            theirs = hydra.config_loader.load_sweep_config(config, list(overrides))
            ours = composer.compose(overrides)
            assert _plain(ours) == _plain(theirs), name


@pytest.mark.parametrize("wrong", [["valu=power"], ["strategy.stepps=3"], ["model=nothing"], ["shots=["], ["nothing/there=x"]])
def test_what_hydra_refuses_is_refused(wrong: list[str], hydra_config: tuple[Hydra, DictConfig]) -> None:
    hydra, config = hydra_config

    class Context:
        config_loader = hydra.config_loader

    with pytest.raises(HydraException):
        hydra.config_loader.load_sweep_config(config, list(wrong))
    composer = Composer(Context(), config)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(HydraException):
            composer.compose(["strategy.shots=3", "replicate=2", *wrong])
    assert _plain(composer.compose([])) == _plain(hydra.config_loader.load_sweep_config(config, [])), "what was refused leaves nothing behind"


def _plain(cfg: DictConfig) -> object:
    return OmegaConf.to_container(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True)
