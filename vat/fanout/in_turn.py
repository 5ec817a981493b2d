"""hydra/launcher=basic, and a single point: one job after the other in this process."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from vat.fanout.plan import Step
from vat.fanout.work import Outcome, outcome_of
from vat.track.runs import Runs


def in_turn(steps: Sequence[Step], runs: Runs) -> Generator[tuple[Step, Outcome]]:
    """Do jobs in their order; the model of one stays loaded for the next if it is the same."""
    loaded = None
    failed: set[str] = set()
    for step in steps:
        if loaded is not None and loaded is not step.spec.model:
            loaded.unload()
        loaded = step.spec.model
        outcome = without_baseline(step) if step.needs in failed else outcome_of(step.spec, runs, wait=True)
        if outcome.failure:
            failed.add(step.job.key)
        yield step, outcome


def without_baseline(step: Step) -> Outcome:
    """What becomes of a job whose baseline failed."""
    return Outcome(failure=f"baseline {step.needs}: must be done first; got an error, see there. Run the same command again.")
