"""cluster.rating_workers: one job's ratings by several processes of Ray, each with the model of its own.

Prompts go out in blocks of a fixed size, so that the bits of the answers depend neither on how many workers there are nor on which one is free.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.fanout.ray_cluster import connected
from vat.models.base import NOTHING_KEPT, Capabilities, Kept, Model
from vat.settings import settings
from vat.types import Answered, Prompt

if TYPE_CHECKING:
    from vat.config import AlignSpec

BLOCK = 512
"""Prompts that one worker gets at a time: what they share is computed once a block."""
RESTARTS = 2


@contextlib.contextmanager
def spread_over(spec: AlignSpec) -> Iterator[AlignSpec]:
    """The same point with its local model spread over as many processes as it asks for, if more than one; they end with the block.

    Raises:
        BackendError: There is no Ray yet, and none can be reached.
    """
    alone = spec.cluster.rating_workers == 1 and not (spec.cluster.nodes > 1 and spec.strategy.trains)
    if alone or not spec.model.capabilities().trainable:
        yield spec
        return
    import ray

    with contextlib.ExitStack() as stack:
        if not ray.is_initialized():
            stack.enter_context(connected(spec.cluster))
        model = SpreadModel(model=spec.model, workers=spec.cluster.rating_workers, cpus=spec.cluster.cpus or 1)
        stack.callback(model.unload)
        yield replace(spec, model=model)


@settings
class SpreadModel(Model):
    """A local model whose prompts are answered by `workers` processes with `cpus` threads each. In all else it is the model itself."""

    model: Model
    workers: int
    cpus: int

    @property
    def label(self) -> str:
        """The model's."""
        return self.model.label

    def identity(self) -> dict[str, object]:
        """The model's: where answers are computed is no part of what they are."""
        return self.model.identity()

    def capabilities(self) -> Capabilities:
        """The model's."""
        return self.model.capabilities()

    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        """As the model checks it."""
        return self.model.check(prompt, max_new_tokens=max_new_tokens)

    def to_keep(self) -> Model:
        """The model's."""
        return self.model.to_keep()

    def training_source(self) -> dict[str, Any]:
        """The model's."""
        return self.model.training_source()

    def trained(self, folder: Path, *, adapter: bool) -> Model:
        """Its checkpoint, spread in the same way; the processes of the model before it are given up."""
        self.unload()
        return SpreadModel(model=self.model.trained(folder, adapter=adapter), workers=self.workers, cpus=self.cpus)

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """As the model rates them, block by block. Raises as the model does."""
        return self._answers("ratings", prompts, max_new_tokens, kept)

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """As the model continues them, block by block. Raises as the model does."""
        return self._answers("texts", prompts, max_new_tokens, kept)

    def unload(self) -> None:
        """End the processes."""
        import ray

        self.model.unload()
        for rater in self.__dict__.pop("_raters", ()):
            ray.kill(rater)

    def _answers(self, how: str, prompts: Sequence[Prompt], max_new_tokens: int, kept: Kept) -> Iterator[Answered]:
        import ray

        blocks = [range(start, min(start + BLOCK, len(prompts))) for start in range(0, len(prompts), BLOCK)]
        todo = [block for block in blocks if not kept.rows.issuperset(block)]
        free, busy = list(self._started(min(self.workers, len(todo)))), dict[Any, tuple[range, Any]]()
        try:
            while todo or busy:
                while todo and free:
                    block, rater = todo.pop(0), free.pop()
                    inside = Kept(frozenset(row - block.start for row in kept.rows if row in block), kept.tokens)
                    busy[rater.answer.remote(how, [prompts[row] for row in block], max_new_tokens, inside)] = block, rater
                for ref in ray.wait(list(busy), num_returns=1)[0]:
                    block, rater = busy.pop(ref)
                    free.append(rater)
                    for part in _result(ref):
                        yield Answered([block.start + row for row in part.rows], part.answers)
        finally:
            for ref in busy:
                ray.cancel(ref, recursive=False)

    def _started(self, count: int) -> Sequence[Any]:
        """So many processes, or those that there are already."""
        import ray

        raters: list[Any] = self.__dict__.setdefault("_raters", [])
        start = ray.remote(_Rater).options(
            num_cpus=self.cpus, num_gpus=float(self.model.wants_gpu and _gpus_there()), max_restarts=RESTARTS, max_task_retries=RESTARTS
        )
        raters += [start.remote(self.model, self.cpus) for _ in range(count - len(raters))]
        return raters[:count]


class _Rater:
    """A process with the model."""

    def __init__(self, model: Model, cpus: int) -> None:
        import torch

        torch.set_num_threads(cpus)
        self._model = model

    def answer(self, how: str, prompts: Sequence[Prompt], max_new_tokens: int, kept: Kept) -> list[Answered]:
        """`ratings` or `texts` of the model, all at once."""
        return list(getattr(self._model, how)(prompts, max_new_tokens=max_new_tokens, kept=kept))


def _result(ref: Any) -> list[Answered]:
    import ray

    try:
        parts: list[Answered] = ray.get(ref)
        return parts
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error  # the model's own, as if it were here


def _gpus_there() -> bool:
    import ray

    return bool(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
