"""A causal language model of transformers in this process: what model=hf and model=tiny have in common.

Shapes: N prompts, P tokens shared by all of them, B prompts of a batch, T tokens, W vocabulary.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from vat.errors import BackendError, ConfigError, shown
from vat.models.base import Capabilities, Model, Progress
from vat.models.encoding import Encoder, common_length
from vat.settings import settings
from vat.types import LABELS, LabelScores, Prompt

if TYPE_CHECKING:
    import torch

SHORTEST_SHARED = 16
"""Fewer shared tokens than this are not worth a cache of their own."""


class Batch(NamedTuple):
    """Which prompts are answered together, and their tokens after the shared ones."""

    rows: list[int]
    ids: list[list[int]]


@settings
class LocalModel(Model):
    """A causal language model in this process.

    dtype: of the weights; part of what determines the answers.
    device: `auto` takes a GPU if there is one, else the CPU; or a name of torch, as `cuda:1`.
    batch_tokens: prompts × tokens of one forward pass at most, shared prefix included; lower it if memory runs out.
    template_options: passed on to the chat template, as {enable_thinking: false}.
    """

    dtype: Literal["float32", "bfloat16", "float16"]
    device: str
    batch_tokens: Annotated[int, Field(ge=1)]
    template_options: dict[str, Any]

    @property
    @abstractmethod
    def source(self) -> str:
        """Hub name or directory."""

    @property
    def wanted_revision(self) -> str | None:
        """Commit, tag or branch on the hub."""
        return None

    def identity(self) -> dict[str, object]:
        """Exact revision and dtype; path, batch size and device are left out, being no more than rounding.

        Raises:
            BackendError: The model is not there.
        """
        return {"revision": self.exact_revision, "dtype": self.dtype, "template_options": self.template_options}

    def capabilities(self) -> Capabilities:
        """Trainable, without caveat."""
        return Capabilities(trainable=True, caveat="")

    def check(self, prompt: Prompt) -> None:
        """Look at the device, load the tokenizer and encode one prompt.

        Raises:
            ConfigError: No such device; a chat prompt for a model without a chat template; labels that are not single tokens; a prompt too long.
            BackendError: The model's files are not there.
        """
        self._encoder.encode([prompt])
        self._device  # noqa: B018 - raises where there is none

    @cached_property
    def exact_revision(self) -> str:
        """The commit of a hub model; for a directory, a digest of its files."""
        folder = Path(self.source)
        if folder.is_dir():
            total = hashlib.sha256()
            for file in sorted(p for p in folder.iterdir() if p.suffix in {".json", ".jinja", ".safetensors", ".model", ".txt"}):
                with file.open("rb") as content:
                    total.update(f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}".encode())
            return total.hexdigest()
        import huggingface_hub

        huggingface_hub.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        with self._found():
            config = huggingface_hub.hf_hub_download(self.source, "config.json", revision=self.wanted_revision)
        return Path(config).parent.name  # …/snapshots/<commit>/config.json

    def rate(self, prompts: Sequence[Prompt], progress: Progress = lambda done: None) -> LabelScores:
        """One forward pass per batch. What all prompts begin with is computed once; the rest is padded on the right, so that no mask
        is needed: nothing before the last real token sees the padding.

        Raises:
            ConfigError: As `check`.
            BackendError: The weights are not there, memory ran out, or the model gave NaN.
        """
        import torch

        encoded = self._encoder.encode(prompts)
        shared = _worth_sharing(encoded.ids)
        probability_N5, mass_N = np.empty((len(prompts), len(LABELS))), np.empty(len(prompts))
        with torch.inference_mode():
            prefix = self._prefix(encoded.ids[0][:shared]) if shared else None
            for batch in _batches([ids[shared:] for ids in encoded.ids], shared, self.batch_tokens):
                log_B5 = self._last_log_probabilities(batch.ids, prefix, shared)[:, encoded.labels].double().cpu().numpy()
                if np.isnan(log_B5).any():
                    raise BackendError(f"model {self.label}: must give numbers; got NaN in {self.dtype}. Use model.dtype=float32 or bfloat16.")
                probability_B5 = np.exp(log_B5)
                mass_N[batch.rows] = probability_B5.sum(axis=1)
                probability_N5[batch.rows] = probability_B5 / np.maximum(mass_N[batch.rows, None], np.finfo(float).tiny)
                progress(len(batch.rows))
        return LabelScores(probability_N5, np.minimum(mass_N, 1.0))

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[str]:
        """Greedy continuation, one prompt at a time.

        Raises:
            ConfigError: As `check`.
            BackendError: The weights are not there, or memory ran out.
        """
        import torch

        texts = []
        for ids in self._encoder.encode(prompts).ids:
            given = torch.tensor([ids], device=self._loaded.device)
            with torch.inference_mode():
                made = self._loaded.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=max_new_tokens, do_sample=False)
            texts.append(self._encoder.text(made[0, len(ids) :].tolist()))
        return texts

    def unload(self) -> None:
        """Give up the memory of the weights."""
        self.__dict__.pop("_loaded", None)

    def _prefix(self, ids: list[int]) -> Any:
        import torch

        return self._loaded(input_ids=torch.tensor([ids], device=self._loaded.device), use_cache=True, logits_to_keep=1).past_key_values

    def _last_log_probabilities(self, ids: list[list[int]], prefix: Any, shared: int) -> torch.Tensor:
        """(B, W) log-probabilities after the last token of each row, through the model's own head."""
        import torch

        model = self._loaded
        last_B = torch.tensor([len(row) - 1 for row in ids])
        width = int(last_B.max()) + 1
        padded_BT = torch.tensor([row + row[-1:] * (width - len(row)) for row in ids], device=model.device)
        kept, where_B = torch.unique(last_B, return_inverse=True)
        options: dict[str, Any] = {"use_cache": False}
        if prefix is not None:
            cache = copy.deepcopy(prefix)
            cache.reorder_cache(torch.zeros(len(ids), dtype=torch.long, device=model.device))
            position_BT = torch.arange(shared, shared + width, device=model.device)[None].expand(len(ids), -1)
            options = {"use_cache": True, "past_key_values": cache, "position_ids": position_BT}
        try:
            logits = model(input_ids=padded_BT, logits_to_keep=kept.to(model.device), **options).logits
        except torch.OutOfMemoryError as error:
            rule = f"model {self.label}: a batch must fit into memory; got {len(ids)} prompts of {shared + width} tokens that do not"
            raise BackendError(f"{rule}. Lower model.batch_tokens from {self.batch_tokens}.") from error
        log_BW: torch.Tensor = logits[torch.arange(len(ids)), where_B].float().log_softmax(-1)
        return log_BW

    @cached_property
    def _config(self) -> Any:
        return self._load("AutoConfig")

    @cached_property
    def _encoder(self) -> Encoder:
        room = getattr(self._config, "max_position_embeddings", None)
        return Encoder(self._load("AutoTokenizer"), model=self.label, room=room, template_options=self.template_options)

    @cached_property
    def _loaded(self) -> Any:
        import torch

        device = self._device
        try:
            return self._load("AutoModelForCausalLM", dtype=getattr(torch, self.dtype), use_safetensors=True).to(device).eval()
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

    def _load(self, loader: str, **options: Any) -> Any:
        """Load a part of the model at its exact revision, so that all parts belong together even if a branch moves on."""
        import transformers

        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        revision = None if Path(self.source).is_dir() else self.exact_revision
        with self._found():
            return getattr(transformers, loader).from_pretrained(self.source, revision=revision, trust_remote_code=False, **options)

    @contextlib.contextmanager
    def _found(self) -> Iterator[None]:
        from safetensors import SafetensorError

        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            rule = f"model.name={self.source}: must be a causal language model with safetensors, on the hub or in a directory"
            raise BackendError(f"{rule}; got {shown(str(error), 200)}. Check the name, its files and the connection.") from error


def _worth_sharing(ids: Sequence[list[int]]) -> int:
    """How many first tokens to compute once for all rows: at least one is left to each, and 0 if it is not worth a cache."""
    length = min(common_length(ids), min(map(len, ids)) - 1)
    return length if length >= SHORTEST_SHARED and len(ids) > 1 else 0


def _batches(ids: list[list[int]], shared: int, batch_tokens: int) -> list[Batch]:
    """Rows of about the same length together, longest first, within the budget of tokens."""
    batches: list[Batch] = []
    order = sorted(range(len(ids)), key=lambda n: (-len(ids[n]), n))
    while order:
        size = max(1, batch_tokens // (shared + len(ids[order[0]])))
        batches.append(Batch(order[:size], [ids[n] for n in order[:size]]))
        order = order[size:]
    return batches
