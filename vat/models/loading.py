"""A model of transformers on the hub or in a directory: which one it is to the bit, and loading its parts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.errors import BackendError, ConfigError, shown

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    name: on the hub, or a directory. revision: commit, tag or branch on the hub, None for its default. adapter: directory of a LoRA adapter.
    """

    name: str
    revision: str | None
    adapter: Path | None

    @cached_property
    def exact_revision(self) -> str:
        """The commit of a hub model; for a directory, a digest of its files.

        Raises:
            BackendError: The model is not there.
        """
        if Path(self.name).is_dir():
            return _digest(Path(self.name))
        import huggingface_hub

        huggingface_hub.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        with self._found():
            config = huggingface_hub.hf_hub_download(self.name, "config.json", revision=self.revision)
        return Path(config).parent.name  # …/snapshots/<commit>/config.json

    @cached_property
    def adapter_digest(self) -> str:
        """A digest of the adapter's files.

        Raises:
            ConfigError: It is not an adapter.
        """
        assert self.adapter is not None
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            if not (self.adapter / name).is_file():
                rule = f"model.adapter={self.adapter}: must be the directory of a LoRA adapter with {name}"
                raise ConfigError(f"{rule}; got none there. Save it with peft's save_pretrained.")
        return _digest(self.adapter)

    @cached_property
    def parameters(self) -> int:
        """How many weights the model has, without loading them. Raises as `exact_revision`."""
        import torch
        import transformers

        with torch.device("meta"):
            empty = transformers.AutoModelForCausalLM.from_config(self.part("AutoConfig"))  # type: ignore[no-untyped-call]
        return int(empty.num_parameters())

    def model(self, dtype: torch.dtype) -> Any:
        """The model with its adapter, on the CPU.

        Raises:
            ConfigError: The adapter does not fit the model.
            BackendError: The weights are not there.
        """
        model = self.part("AutoModelForCausalLM", dtype=dtype, use_safetensors=True)
        if self.adapter is not None:
            self.put_adapter(model, "default")
        return model

    def put_adapter(self, model: Any, name: str) -> None:
        """Put the adapter on a model, under a name; it is in use from here on.

        Raises:
            ConfigError: It does not fit the model.
        """
        try:
            model.load_adapter(str(self.adapter), adapter_name=name, use_safetensors=True)
            model.to(model.dtype)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            rule = f"model.adapter={self.adapter}: must fit the model {self.name}"
            raise ConfigError(f"{rule}; got {shown(str(error), 200)}. Use the model that it was trained on.") from error

    def part(self, loader: str, **options: Any) -> Any:
        """What a class of transformers loads, at the exact revision, so that all parts belong together even if a branch moves on.

        Raises:
            BackendError: It is not there.
        """
        import transformers

        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        revision = None if Path(self.name).is_dir() else self.exact_revision
        with self._found():
            return getattr(transformers, loader).from_pretrained(self.name, revision=revision, trust_remote_code=False, **options)

    @contextlib.contextmanager
    def _found(self) -> Iterator[None]:
        from safetensors import SafetensorError

        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            rule = f"model.name={self.name}: must be a causal language model with safetensors, on the hub or in a directory"
            raise BackendError(f"{rule}; got {shown(str(error), 200)}. Check the name, its files and the connection.") from error


def _digest(folder: Path) -> str:
    """Of the files that make up a model or an adapter."""
    total = hashlib.sha256()
    for file in sorted(p for p in folder.iterdir() if p.suffix in {".json", ".jinja", ".safetensors", ".model", ".txt"}):
        with file.open("rb") as content:
            total.update(f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}".encode())
    return total.hexdigest()
