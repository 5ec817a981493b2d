"""What a study found, in plain words: what was steered, what it gained, what moved with it, and whether that is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vat.analyse.steered import scored
from vat.analyse.study import Study, each
from vat.analyse.style import asked, plain, signed
from vat.analyse.tables import EFFICIENT, LEVEL, RISKY

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_NAMED = 3


def summary(study: Study, table: DataFrame) -> list[str]:
    """Sentences for the top of the page, a paragraph each.

    Args:
        table: `data` of `table2`.
    """
    return [text for text in (_steered(study, table), _gained(table), _beyond(table), _moved(study), _marked(table), _said(study)) if text]


def _steered(study: Study, table: DataFrame) -> str:
    pushed = table[["value", "direction"]].drop_duplicates()
    values = _listed([f"{plain(row.value)} {'up' if row.direction > 0 else 'down'}" for row in each(pushed)])
    jobs, states = _counted(len(table), "job"), len(study.points)
    measured = f", measured at {states} states" if states > len(table) else ""
    models, strategies = (_listed(list(dict.fromkeys(table[name].astype(str)))) for name in ("model", "strategy"))
    scenes = study.of("n_scenes")["estimate"].dropna()
    on = f" on {scenes.iloc[0]:.0f} held-out scenes" if len(scenes) else ""
    return f"{jobs} pushed {values} of {models} by {strategies}{measured}, and asked about all {len(study.theory.values)} values{on}."


def _gained(table: DataFrame) -> str:
    known = table.dropna(subset=["gain"])
    if not len(known):
        return ""
    up, down = known[known["gain_low"] > 0], known[known["gain_high"] < 0]
    text = f"The pushed value moved as asked{_in(len(up), len(known))} (the 95% interval of the gain lies above 0)"
    text += f" and the other way in {len(down)}." if len(down) else "."
    if len(up):
        best = up.iloc[int(up["gain"].argmax())]
        gain = _signed(best, "gain")
        text += f" The gain was {gain}." if len(known) == 1 else f" The largest gain, {gain}, was that of {_named(best)}."
    return text


def _beyond(table: DataFrame) -> str:
    known = table.dropna(subset=["nvat_q"])
    if not len(known):
        return ""
    sure = known[known["nvat_q"] < LEVEL]
    chance = known["nvat_null"].mean()
    text = f"Values moved together more than chance{_in(len(sure), len(known))} (false discovery rate below {LEVEL:.0%}); by chance alone "
    text += f"nVAT would be about {chance:.3f}."
    if len(sure):
        most = sure.iloc[int(sure["nvat"].argmax())]
        tax = f"{most['nvat']:.3f} (free of chance within [{most['nvat_low']:.3f}, {most['nvat_high']:.3f}])"
        text += f" The tax was {tax}." if len(known) == 1 else f" The largest tax was {tax}, of {_named(most)}."
    else:
        text += " No tax here is told from chance."
    return text


def _moved(study: Study) -> str:
    shift = study.by_value("shift")
    last = shift[shift["step"] == shift.groupby("job")["step"].transform("max")]
    other = last[last["of"] != last["value"]]
    sure = other[(other["low"] > 0) | (other["high"] < 0)]
    if not len(other):
        return ""
    jobs = last["job"].nunique()
    if not len(sure):
        return f"No other value's mean shift is told from 0{_in(jobs, jobs) and ' in any job'}."
    counts = sure.groupby("of")["job"].nunique().sort_values(ascending=False, kind="stable")
    if jobs == 1:
        return f"Besides the target, the mean shift of {_listed([plain(str(value)) for value in counts.index])} is told from 0 (95% interval, each)."
    named = _listed([f"{plain(str(value))} ({_of(int(count), jobs)})" for value, count in counts.head(MOST_NAMED).items()])
    return f"Besides the target, the values that moved most often were {named}: their mean shift is told from 0 (95% interval, each job for itself)."


def _marked(table: DataFrame) -> str:
    counts = {mark: int((table["mark"] == mark).sum()) for mark in (EFFICIENT, RISKY)}
    if not any(counts.values()):
        return ""
    found = _listed([f"{_counted(count, 'job')} {'is' if count == 1 else 'are'} marked {mark}" for mark, count in counts.items() if count])
    return f"{found[0].upper()}{found[1:]}, by the rule below the table."


def _said(study: Study) -> str:
    """Of intensities: each job's last state that was scored; the pushed value is asked for by its target, or by the job's direction."""
    import numpy as np

    found = scored(study)
    found = found[found["step"] == found.groupby("job")["step"].transform("max")]
    if not len(found):
        return ""
    pushed = found["of"] == found["value"]
    side = np.sign(found["target"].where(found["target"].notna(), found["direction"].where(pushed)))
    asked_for = found.assign(side=side, nearest=np.minimum(side * found["delta_low"], side * found["delta_high"]))
    asked_for = asked_for.assign(as_asked=asked_for["nearest"] > 0, against=np.maximum(side * found["delta_low"], side * found["delta_high"]) < 0)
    own, besides = (asked_for[which & asked_for["side"].notna() & asked_for["delta"].notna()] for which in (pushed, ~pushed))
    told = []
    if len(own):
        text = f"In open answers the pushed value's intensity moved as asked{_in(int(own['as_asked'].sum()), len(own))} (the 95% interval of Δ lies "
        against = int(own["against"].sum())
        told.append(text + "beyond 0 on that side)" + (f" and the other way in {against}." if against else "."))
        if own["as_asked"].any():
            best = own[own["as_asked"]].iloc[int((own["side"] * own["delta"])[own["as_asked"]].argmax())]
            target = f", target {asked(best['target'])}" if best["target"] == best["target"] else ""
            delta = f"{best['delta']:+.2f} [{best['delta_low']:+.2f}, {best['delta_high']:+.2f}]"
            told.append(f"Δ was {delta}." if len(own) == 1 else f"The largest Δ, {delta}, was that of {_named(best)}{target}.")
    if len(besides):
        told.append(f"Of {_counted(len(besides), 'target')} for values steered besides, {int(besides['as_asked'].sum())} moved as asked.")
    states = found.drop_duplicates("job")
    after = float((states["refused"] * states["answers"]).sum() / states["answers"].sum())
    told.append(f"Of the answers {after:.1%} were refusals, and {states['refused_before'].mean():.1%} of those before.")
    return " ".join(told)


def _named(row: Any) -> str:
    text = f"{plain(row['value'])} {signed(row['direction'])} of {row['model']} by {row['strategy']}"
    dose = f"{row['shots']:.0f} shots" if row["shots"] == row["shots"] else ""
    return ", ".join(filter(None, (text, dose, row["settings"], f"replicate {row['replicate']}" if row["replicate"] else "")))


def _signed(row: Any, name: str) -> str:
    return f"{row[name]:+.3f} [{row[f'{name}_low']:+.3f}, {row[f'{name}_high']:+.3f}]"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _in(count: int, whole: int) -> str:
    return "" if count == whole == 1 else f" in {_of(count, whole)}"


def _of(count: int, whole: int) -> str:
    if not count:
        return "no job"
    if count == whole == 2:
        return "both jobs"
    return f"all {whole} jobs" if count == whole else f"{count} of {whole} jobs"


def _listed(names: list[str]) -> str:
    if len(names) > 6:
        names = [*names[:5], f"{len(names) - 5} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
