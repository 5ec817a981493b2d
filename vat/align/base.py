"""What changes a model. A strategy yields states of it: a prompt strategy one, a training strategy one per checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from vat.data.base import Probes
from vat.data.question import Question
from vat.models.base import Capabilities, Model, Progress
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import Judgements, Probe, Shot

LEAVE_S = 60.0
"""How long a strategy that is told to leave may take to save what it has done since it last did."""


class State(NamedTuple):
    """A model as it answers at one step: the model itself and the shots that precede every question.

    preamble: a text that precedes shots and question; "" for none.
    rewording: 0 for the instruction that the state before was asked with; 1, 2, 3 for the next ones.
    """

    step: int
    model: Model
    shots: tuple[Shot, ...]
    rewording: int = 0
    preamble: str = ""


@dataclass(frozen=True)
class Resources:
    """What training may use of the machine. It changes results by no more than rounding, and so is no part of a job's key.

    processes: that train together on the CPU; gpus: that train together, 0 for the model's own device. threads: of each job, None for as many
    as there are. deepspeed: DeepSpeed's own configuration, None to train without. beside: checkpoints are judged while training goes on.
    nodes: with so many processes or GPUs each; address: of the Ray cluster that they belong to.
    """

    processes: int
    gpus: int
    deepspeed: Mapping[str, Any] | None
    threads: int | None
    beside: bool = False
    nodes: int = 1
    address: str = "local"

    @property
    def workers(self) -> int:
        """Processes that train together."""
        return self.nodes * (self.gpus or self.processes)

    @property
    def layout(self) -> str:
        """How a checkpoint is shared out; training goes on only from one that is shared out in the same way."""
        count = f"{self.workers} process{'es' if self.workers > 1 else ''}"
        if self.deepspeed is None:
            return count
        zero = self.deepspeed["zero_optimization"]
        return f"{count}, ZeRO-{zero['stage']}" + "".join(f", {name}" for name in ("offload_optimizer", "offload_param") if zero.get(name))


@dataclass(frozen=True)
class Task:
    """What a strategy is asked to do.

    train: probes it may use; none of their scenes is tested.
    ask: the model's own judgements of probes, after no shots.
    question: how the model is asked. folder: for what a strategy keeps between attempts. resources: what training may use.
    counting: what shows progress, given a name, a total and a unit. measured: the metrics of a state that was yielded. logged: takes what was
    logged of training so far, now and then.
    """

    theory: Theory
    train: Probes
    model: Model
    value: str
    direction: int
    replicate: int
    ask: Callable[[Sequence[Probe]], Judgements]
    question: Question
    folder: Path
    resources: Resources
    counting: Callable[[str, int, str], AbstractContextManager[Progress]]
    measured: Callable[[int], Mapping[str, float]]
    logged: Callable[[Sequence[Mapping[str, float]]], object]


@settings
class Strategy(ABC):
    """Base of all strategies.

    has_target: whether it pushes a value; if not, value and direction are no part of the job.
    has_draws: whether anything is drawn at random; if not, replicate is no part of the job.
    trains: whether it changes weights.
    """

    has_target: ClassVar[bool] = True
    has_draws: ClassVar[bool] = True
    trains: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """What people call it, in tables and MLflow."""

    @property
    def shots_shown(self) -> int | None:
        """How many examples precede a question, None where there are none."""
        return None

    @property
    def params(self) -> dict[str, object]:
        """What people tell its jobs apart by, beside value, direction and shots: in MLflow, and in the names of runs."""
        return {}

    @property
    def n_states(self) -> int:
        """How many states are judged, at most."""
        return 1

    @abstractmethod
    def identity(self) -> dict[str, object]:
        """Its name and the settings that determine its states: part of a job's key."""

    @abstractmethod
    def check(self, capabilities: Capabilities) -> None:
        """Find out before anything starts whether it can be used with such a model.

        Raises:
            ConfigError: It cannot, or its settings are wrong.
        """

    def check_resources(self, model: Model, resources: Resources) -> None:  # noqa: B027 - most strategies train nothing
        """Find out before anything starts whether a model can be trained with so much of a machine.

        Raises:
            ConfigError: It cannot.
        """

    def examples(self, train: Probes, theory: Theory, value: str, *, replicate: int) -> list[Probe]:
        """The probes that are shown before every question, in order; none unless the strategy shows any.

        Raises:
            DataError: The train probes do not suffice.
        """
        return []

    def preamble(self, theory: Theory, value: str, direction: int, *, replicate: int) -> str:
        """The text that is shown before every question; none unless the strategy shows any.

        Raises:
            ConfigError, DataError: There is none for this value.
        """
        return ""

    def targets(self, value: str, direction: int) -> dict[str, int]:
        """Value → the intensity that is asked of it, from −2 to 2; none unless the strategy asks for intensities."""
        return {}

    @abstractmethod
    def states(self, task: Task) -> Generator[State]:
        """The states to judge, in order of their step.

        Raises:
            DataError: The train probes do not suffice.
            BackendError: The model failed.
        """

    def state_again(self, task: Task, step: int) -> State:
        """A state that was judged, once more; nothing is trained for it.

        Raises:
            DataError: What it was made of is gone.
            BackendError: The model failed.
        """
        return next(state for state in self.states(task) if state.step == step)

    def series(self, folder: Path) -> list[dict[str, float]]:
        """What was logged at each step of training, in the folder of its task; nothing where there is no training."""
        return []

    def tidy(self, folder: Path, steps: Mapping[int, Mapping[str, float]]) -> None:  # noqa: B027 - most strategies leave nothing behind
        """Give up what is no longer needed once all states are measured; `steps` has their metrics."""
