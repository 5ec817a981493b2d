"""evaluator=ranking: responses are ranked among texts of known intensity (ValueFlow, section 5.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vat.elicit.desk import Desk
from vat.errors import ConfigError, DataError
from vat.intensity.evaluator import Evaluator, Scale, Scored
from vat.intensity.judging import Ranked, RankingJudge, Way
from vat.intensity.ranking import ranking_prompt
from vat.intensity.response import Rankings, intensities, sharpness
from vat.intensity.windows import Anchors, Sampling, Window, anchored_windows
from vat.settings import settings
from vat.types import LABELS, Prompt


@settings
class Ranking(Evaluator):
    """size: of a window, the response included. iterations: windows of each response. sampling: how anchors are drawn. seed: of all draws.

    way: how judges answer. sharpness: of the judges; null to estimate it from the order in which they rank the anchors.
    """

    method: ClassVar[str] = "ranking"
    compares: ClassVar[bool] = True

    size: Annotated[int, Field(ge=2)]
    iterations: Annotated[int, Field(ge=1)]
    sampling: Sampling
    seed: Annotated[int, Field(ge=0)]
    way: Way
    sharpness: Annotated[float, Field(gt=0)] | None

    @property
    def questions(self) -> int:
        """As many as there are iterations."""
        return self.iterations

    @property
    def told(self) -> str:
        """Windows of its size."""
        return f"windows of {self.size}"

    def check(self, anchors: Anchors) -> None:
        """Raises a ConfigError or DataError if no window can be made with them, or if the sharpness of judges cannot be told from any."""
        if self.size == 2 and self.sharpness is None:
            rule = "evaluator.sharpness=null: is estimated from windows that hold two anchors or more; got evaluator.size=2"
            raise ConfigError(f"{rule}. Use evaluator.size=3 or more, or say how sharp judges are: evaluator.sharpness=1.")
        if self.way == "probabilities" and self.size > len(LABELS):
            rule = f"evaluator.way=probabilities: ranks windows of at most {len(LABELS)} texts; got evaluator.size={self.size}"
            raise ConfigError(f"{rule}. Use evaluator.size={len(LABELS)}, or evaluator.way=texts.")
        self._windows(["response"], anchors)

    def trial(self, scale: Scale, text: str) -> Prompt:
        """The text against the first anchor."""
        return ranking_prompt(scale.target, [text, next(iter(scale.texts.values()))], wording=self.wording)

    def score(
        self, desk: Desk, role: str, scale: Scale, responses: Mapping[str, str], *, drawn_as: Callable[[str], str], max_new_tokens: int,
        told: Callable[[], object],
    ) -> Scored:  # fmt: skip
        """As the base; the sharpness is estimated from all windows first."""
        assert scale.anchors is not None
        drawn: dict[str, list[Window]] = {}
        for window in self._windows(list(dict.fromkeys(map(drawn_as, responses))), scale.anchors):
            drawn.setdefault(window.focal, []).append(window)
        windows = [_about(window, id_) for id_ in responses for window in drawn[drawn_as(id_)]]
        judge = RankingJudge(desk, role, way=self.way, wording=self.wording, max_new_tokens=max_new_tokens)
        ranked: list[Ranked] = []
        for result in judge.rank(scale.target, windows, {**scale.texts, **responses}):
            ranked.append(result)
            told()
        lost = Counter(str(one.why) for one in ranked if one.why)
        first = {drawn_as(id_): id_ for id_ in reversed(list(responses))}
        places = [one.places for one in ranked if one.places and first[drawn_as(one.window.focal)] == one.window.focal]
        rankings, sharp = self._as_arrays(scale.anchors, ranked, len(responses)), None
        try:
            sharp = sharpness(rankings)
            return Scored(len(ranked), lost, places, sharp, intensities(rankings, beta=self.sharpness or sharp.beta))
        except DataError as error:
            return Scored(len(ranked), lost, places, sharp, None, str(error))

    def _windows(self, ids: Sequence[str], anchors: Anchors) -> list[Window]:
        return anchored_windows(ids, anchors, size=self.size, iterations=self.iterations, seed=self.seed, sampling=self.sampling)

    def _as_arrays(self, anchors: Anchors, ranked: Sequence[Ranked], count: int) -> Rankings:
        """Windows of the responses, in their order, as numbers."""
        intensity = dict(zip(anchors.ids, anchors.intensity_A.tolist(), strict=True))
        anchor_RMA, place_RM = np.zeros((count, self.iterations, self.size - 1)), np.full((count, self.iterations), -1)
        for n, one in enumerate(ranked):
            if one.places:
                row, column = divmod(n, self.iterations)
                place_RM[row, column] = one.ranking.index(one.window.focal)
                anchor_RMA[row, column] = [intensity[id_] for id_ in one.ranking if id_ != one.window.focal]
        return Rankings(anchor_RMA, place_RM)


def _about(window: Window, response: str) -> Window:
    """The window with another focal text in its place."""
    return Window(response, window.iteration, tuple(response if one == window.focal else one for one in window.shown))
