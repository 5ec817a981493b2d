"""A causal language model of transformers in this process: what model=hf and model=tiny have in common.

Shapes: N prompts, E places where prompts end, L labels, W vocabulary.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from vat.errors import BackendError, ConfigError, shown
from vat.models.base import NOTHING_KEPT, Capabilities, Kept, Model
from vat.models.cached import CachedForward
from vat.models.cascade import CascadeForward
from vat.models.encoding import Encoder
from vat.models.loading import Source
from vat.models.memory import Footprint, Room, room_gib
from vat.models.prefix_tree import Load, Pass, passes, prefix_tree
from vat.models.tree_attention import Unsafe
from vat.settings import settings
from vat.types import Answered, Prompt, answers_of

if TYPE_CHECKING:
    import torch

SHARED = "checkpoint"
"""What the adapter upon a shared model is called there; there is one at a time."""
LABEL_ROWS = 64
"""Rows of logits that are turned into probabilities at a time: in float32 they are large."""


@settings
class LocalModel(Model):
    """A causal language model in this process.

    dtype: of the weights; part of what determines the answers.
    device: `auto` takes a GPU if there is one, else the CPU; or a name of torch, as `cuda:1`.
    memory_gib: for caches and activations, beside the weights; None for a quarter of the machine's, or most of what the weights leave of a GPU.
    attention: `cascade` computes all branches of a prefix tree together, `portable` works with every model; `auto` compares them on
        a small tree and takes the first where they agree.
    template_options: passed on to the chat template, as {enable_thinking: false}.
    """

    dtype: Literal["float32", "bfloat16", "float16"]
    device: str
    memory_gib: Annotated[float, Field(gt=0)] | None
    attention: Literal["auto", "cascade", "portable"]
    template_options: dict[str, Any]

    @property
    @abstractmethod
    def source(self) -> Source:
        """Where it comes from; the same object each time."""

    def identity(self) -> dict[str, object]:
        """Exact revision, adapter and dtype; path, memory and device are left out, being no more than rounding.

        Raises:
            ConfigError: The adapter is not there.
            BackendError: The model is not there.
        """
        adapter = {} if self.source.adapter is None else {"adapter": self.source.adapter_digest}
        return {"revision": self.source.exact_revision, **adapter, "dtype": self.dtype, "template_options": self.template_options}

    def capabilities(self) -> Capabilities:
        """Trainable, without caveat."""
        return Capabilities(trainable=True, caveat="")

    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        """Look at the device, load the tokenizer and encode one prompt; nothing is asked.

        Raises:
            ConfigError: No such device; a chat prompt for a model without a chat template; labels that are not single tokens; a prompt too long.
            BackendError: The model's files are not there.
        """
        self._encoder.encode([prompt], max_new_tokens=max_new_tokens)
        self._device  # noqa: B018 - raises where there is none
        return 0.0, 0.0

    def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
        """By its tokenizer. Raises as `check`."""
        return self._encoder.too_long(prompts, max_new_tokens=max_new_tokens) if prompts else set()

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """Passes over the tree of what the prompts share (`prefix_tree.py`): no token is computed twice.

        Raises:
            ConfigError: As `check`; a prompt that does not fit into memory_gib.
            BackendError: The weights are not there, memory ran out, or the model gave NaN.
        """
        encoded = self._encoder.encode(prompts)
        longest = max(map(len, encoded.ids))
        forward = self._forward(longest)
        trees = prefix_tree(encoded.ids, shortest=forward.shortest)
        done, room = set(kept.rows), self._room(longest, copies=not forward.whole_trees)
        while len(done) < len(prompts):
            for step in passes(trees, room.fits, whole_trees=forward.whole_trees):
                if done.issuperset(step.rows):
                    continue
                try:
                    answered = self._answered(forward, step, room.chunk(longest), encoded.labels)
                except self._out_of_memory as error:
                    room = self._smaller(room, step.load, longest, error)
                    break
                yield answered.without(done)
                done.update(step.rows)

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """Greedy continuations, prompts of about the same length side by side. Raises as `ratings`."""
        encoded = self._encoder.encode(prompts, max_new_tokens=max_new_tokens)
        order = sorted(range(len(prompts)), key=lambda n: (-len(encoded.ids[n]), n))
        longest = len(encoded.ids[order[0]]) + max_new_tokens
        done, room = set(kept.rows), self._room(longest, copies=True)
        while order:
            load = room.texts(len(encoded.ids[order[0]]) + max_new_tokens, len(order))
            rows, rest = order[: load.trees], order[load.trees :]
            if not done.issuperset(rows):
                try:
                    written = self._written([encoded.ids[n].tolist() for n in rows], max_new_tokens)
                except self._out_of_memory as error:
                    room = self._smaller(room, load, longest, error)
                    continue
                texts = [("<think>" if encoded.thinks else "") + self._encoder.text(ids) for ids in written]
                yield Answered(rows, answers_of(None, None, text_N=texts)).without(done)
            order = rest

    def training_source(self) -> dict[str, Any]:
        """Name, exact revision on the hub, dtype and number of the weights, device."""
        revision = None if Path(self.source.name).is_dir() else self.source.exact_revision
        return {
            "name": self.source.name, "revision": revision, "dtype": self.dtype, "parameters": self.source.parameters, "device": str(self._device),
        }  # fmt: skip

    def trained(self, folder: Path, *, adapter: bool) -> Model:
        """A model of its own, asked in the same way."""
        from vat.models.hf import HFModel

        name, revision = (self.source.name, self.training_source()["revision"]) if adapter else (str(folder), None)
        made = HFModel(
            name=str(name), revision=revision, adapter=str(folder) if adapter else None, dtype=self.dtype, device=self.device,
            memory_gib=self.memory_gib, attention=self.attention, template_options=self.template_options,
        )  # fmt: skip
        if adapter:
            made.__dict__["_shared_base"] = self
        return made

    def smaller(self) -> Model:
        """With half of `memory_gib`."""
        given = room_gib(self._device, 0) if self.memory_gib is None else self.memory_gib
        return replace(self, memory_gib=given / 2)

    def unload(self) -> None:
        """Give up the memory of the weights; of an adapter upon a shared model only the adapter's."""
        if "_loaded" in self.__dict__ and "_shared_base" in self.__dict__:
            self._loaded.delete_adapter(SHARED)
        for part in ("_loaded", "_cascade"):
            self.__dict__.pop(part, None)

    def _answered(self, forward: CascadeForward | CachedForward, step: Pass, chunk: int, labels: Sequence[int]) -> Answered:
        import torch

        with torch.inference_mode():
            ends = forward.last_logits(step, chunk)
            log_EL = torch.cat(
                [rows[:, labels].float() - rows.float().logsumexp(-1, keepdim=True) for rows in torch.split(ends.logits_EW, LABEL_ROWS)]
            )
        probability_EL = np.exp(log_EL.double().cpu().numpy())
        if np.isnan(probability_EL).any():
            raise BackendError(f"model {self.label}: must give numbers; got NaN in {self.dtype}. Use model.dtype=float32 or bfloat16.")
        mass_E = probability_EL.sum(axis=1)
        given_EL = probability_EL / np.maximum(mass_E[:, None], np.finfo(float).tiny)
        place_N = [place for place, rows in enumerate(ends.rows) for _ in rows]
        return Answered([row for rows in ends.rows for row in rows], answers_of(given_EL[place_N], np.minimum(mass_E, 1.0)[place_N]))

    def _written(self, ids: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        import torch

        model, width = self._loaded, max(map(len, ids))
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        pad = next((token for token in (model.generation_config.pad_token_id, *ends) if token is not None), 0)
        padded = torch.tensor([[pad] * (width - len(row)) + row for row in ids], device=model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=model.device)
        with torch.inference_mode():
            made = model.generate(padded, attention_mask=mask, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=pad)
        new = made[:, width:].tolist()
        return [row[: next((n for n, token in enumerate(row) if token in ends), len(row))] for row in new]

    def _forward(self, longest: int) -> CascadeForward | CachedForward:
        """The way to compute a prefix tree that is right for this model and prompts of this length, the fast one where it is."""
        if self.attention == "portable":
            return CachedForward(self._loaded)
        why, window = self._cascade
        if not why and window is not None and window < longest:
            why = f"prompts of {longest} tokens exceed its attention window of {window}"
        if not why:
            return CascadeForward(self._loaded)
        if self.attention == "cascade":
            raise ConfigError(f"model.attention=cascade: must be right for the model; got {self.label}: {why}. Use model.attention=auto.")
        return CachedForward(self._loaded)

    @cached_property
    def _cascade(self) -> tuple[str, int | None]:
        """Why cascade attention is not right for this model ("" if it is), and the longest prompt for which it is."""
        import torch

        if "_shared_base" in self.__dict__:  # an adapter changes no attention
            found: tuple[str, int | None] = self.__dict__["_shared_base"]._cascade
            return found
        try:
            with torch.inference_mode():
                return "", CascadeForward(self._loaded).window()
        except Unsafe as reason:
            return str(reason), None

    def _room(self, longest: int, *, copies: bool) -> Room:
        model = self._loaded
        weights = sum(parameter.nbytes for parameter in model.parameters())
        gib = room_gib(model.device, weights) if self.memory_gib is None else self.memory_gib
        room = Room(gib, model.device.type, Footprint.of(model), copies)
        if not room.holds(longest):
            rule = f"model.memory_gib={gib:.2g}: must hold the caches of the longest prompt, {longest} tokens"
            raise ConfigError(f"{rule}; got less than the {room.least_gib(longest):.2g} that it takes. Raise it, or use fewer shots.")
        return room

    @property
    def _out_of_memory(self) -> type[Exception]:
        import torch

        return torch.OutOfMemoryError

    def _smaller(self, room: Room, load: Load, longest: int, error: Exception) -> Room:
        """Half of the room that a pass was thought to need, after memory ran out; or an error, where that would leave too little."""
        import torch

        smaller = replace(room, gib=room.bytes(load) / 2**31)
        if not smaller.holds(longest):
            rule = f"model {self.label}: a single prompt must fit into memory; got one of {longest} tokens that does not"
            raise BackendError(f"{rule}. Use a smaller model, dtype or number of shots.") from error
        print(f"model {self.label}: out of memory; going on as with model.memory_gib={smaller.gib:.2g}", file=sys.stderr, flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return smaller

    @property
    def wants_gpu(self) -> bool:
        """Unless it is told to stay on the CPU."""
        return self.device != "cpu"

    @cached_property
    def _encoder(self) -> Encoder:
        if "_shared_base" in self.__dict__:
            shared: Encoder = self.__dict__["_shared_base"]._encoder
            return shared
        room = getattr(self.source.part("AutoConfig"), "max_position_embeddings", None)
        return Encoder(self.source.part("AutoTokenizer"), model=self.label, room=room, template_options=self.template_options)

    @cached_property
    def _loaded(self) -> Any:
        import torch

        device = self._device
        if "_shared_base" in self.__dict__:  # checkpoints of one training share the model that they were trained on
            model = self.__dict__["_shared_base"]._loaded
            self.source.put_adapter(model, SHARED)
            return model
        try:
            return self.source.model(getattr(torch, self.dtype)).to(device).eval()
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"model {self.label}: its weights must fit into {device}; got too many. Use a smaller dtype or another device."
            ) from error

    @cached_property
    def _device(self) -> torch.device:
        import torch

        name = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"model.device={self.device}: must be a device of this machine; got {shown(str(error), 80)}. Use model.device=cpu."
            ) from error
        return device
