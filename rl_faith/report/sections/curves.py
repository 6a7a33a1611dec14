"""How did training go? Reward, held-out figures, control, mention rate and KL, step by step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rl_faith.report.contents import Line, LinePanel, Lines, Section, Table, Value, listed
from rl_faith.report.formatting import share
from rl_faith.report.material import Material
from rl_faith.report.reading import Source

_Curve = tuple[tuple[float, float], ...]

# What is shown: the first key that a log holds, since the two tests log other figures.
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "reward": ("reward",),
    "held-out faithful": ("eval_faithful_all",),
    "held-out phi": ("eval_phi",),
    "random control": ("eval_random_control", "faith/random_control"),
    "form": ("faith/form_share",),
    "mention rate": ("faith/q",),
    "KL": ("kl",),
    "SFT loss": ("loss",),
}
_HELD_OUT = ("held-out faithful", "held-out phi")
_LEAST_RISE = 0.01


def curves(material: Material) -> Section | None:
    """The logs of the training runs."""
    names = _names(material)
    found = {names[s.path]: _curves(s) for s in material.read.sources if s.log}
    found = {name: curves for name, curves in found.items() if curves}
    if not found:
        return None
    conclusion, warns = _conclusion(found)
    return Section(
        "training",
        "Training curves",
        conclusion,
        plots=_plots(found),
        tables=(_table(found),),
        notes=(
            "Held-out figures are over examples of the training split that are kept from training, "
            "answered greedily. A random control that rises says that the model becomes brittle; a "
            "mention rate near 0 or 1, that it no longer tells what matters from what does not. "
            "form: what of the spread of rewards within groups lies between valid and invalid "
            "replies, so that it teaches the format; the rest is about the words. "
            "KL is logged where the recipe's beta is above 0.",
        ),
        warns=warns,
    )


def _names(material: Material) -> dict[Path, str]:
    """The models' own names where the comparison has them, else the folder's; no name twice."""
    models = {source.path: model for (_, model), source in material.read.trained.items()}
    names = {s.path: models.get(s.path, s.name) for s in material.read.sources if s.log}
    uses = Counter(names.values())
    return {path: name if uses[name] == 1 else str(path) for path, name in names.items()}


def _curves(source: Source) -> dict[str, _Curve]:
    reinforced = any("reward" in entry for entry in source.log)
    wanted = {
        name: keys for name, keys in _SHOWN.items() if not (reinforced and name == "SFT loss")
    }
    found = {name: _first(source, keys) for name, keys in wanted.items()}
    return {name: curve for name, curve in found.items() if curve}


def _first(source: Source, keys: Sequence[str]) -> _Curve:
    for key in keys:
        if curve := tuple((float(e.get("step", 0)), e[key]) for e in source.log if key in e):
            return curve
    return ()


def _conclusion(found: Mapping[str, Mapping[str, _Curve]]) -> tuple[str, bool]:
    held_out = {
        name: (curves.get("reward"), curve)
        for name, curves in found.items()
        for kind in _HELD_OUT
        if (curve := curves.get(kind)) and len(curve) > 1
    }
    if not held_out:
        return (
            "No run logs held-out figures: only the evaluation says what training did.",
            False,
        )
    rose = [name for name, (_, curve) in held_out.items() if _rise(curve) > _LEAST_RISE]
    gamed = [name for name, (reward, curve) in held_out.items()
             if reward and _rise(reward) > 0 and _rise(curve) < -_LEAST_RISE]  # fmt: skip
    best = max(held_out, key=lambda name: _rise(held_out[name][1]))
    first, last = held_out[best][1][0][1], held_out[best][1][-1][1]
    told = (
        f"Held-out faithfulness rose in {len(rose)} of {len(held_out)} runs, most in {best}, from "
        f"{share(first)} to {share(last)}"
        if rose
        else f"Held-out faithfulness rose in none of {len(held_out)} runs"
    )
    fell = f"; in {listed(gamed)} it fell while the reward rose" if gamed else ""
    return f"{told}{fell}.", bool(gamed or not rose)


def _rise(curve: _Curve) -> float:
    return curve[-1][1] - curve[0][1]


def _plots(found: Mapping[str, Mapping[str, _Curve]]) -> tuple[Lines, ...]:
    panels = []
    for kind in _SHOWN:
        lines = tuple(Line(name, curves[kind]) for name, curves in found.items() if kind in curves)
        if lines:
            panels.append(LinePanel(kind, lines))
    return (Lines("Training, step by step", "step", tuple(panels)),)


def _table(found: Mapping[str, Mapping[str, _Curve]]) -> Table:
    kinds = [kind for kind in _SHOWN if any(kind in curves for curves in found.values())]
    rows: list[tuple[Value, ...]] = [
        (name, _steps(curves), *(value for kind in kinds for value in _ends(curves.get(kind))))
        for name, curves in found.items()
    ]
    head = (
        "run",
        "steps",
        *(name for kind in kinds for name in (f"{kind}, first", f"{kind}, last")),
    )
    return Table("First and last figure of each curve", head, tuple(rows))


def _steps(curves: Mapping[str, _Curve]) -> int:
    return int(max(curve[-1][0] for curve in curves.values()))


def _ends(curve: _Curve | None) -> tuple[Value, Value]:
    return (curve[0][1], curve[-1][1]) if curve else (None, None)
