"""Reward functions as plug-ins: found by name, given what they name, checked in what they return.

A reward is any TRL reward function. What its parameters name is filled in, as pytest fills in
fixtures: `repredict` (asks the policy in training), `questions` (the label question about every
input), `verdicts` (the self-consistency check of every completion) or `disclosures` and `rates`
(the counterfactual one, and what was seen of it so far), TRL's own keywords, and every column of
the data set.
"""

import importlib
import importlib.util
import inspect
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from rl_faith.errors import RewardError, one_line
from rl_faith.policies.usage import Meter, Usage, throughput
from rl_faith.recipes import RewardSpec
from rl_faith.training.panel import Panel

log = logging.getLogger(__name__)

GROUP = "rl_faith.rewards"
FILLED = ("repredict", "questions", "verdicts", "disclosures", "rates")
_TRL = ("prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric")
RESERVED = (*FILLED, *_TRL, "environments")


def load_reward(where: str) -> Callable[..., Any]:
    """Find a reward function.

    Args:
        where: "path/to/file.py:function", "package.module:function" (or with a dot before the
            function), or the name of an entry point in the group `rl_faith.rewards`.

    Raises:
        RewardError: nothing callable there, or it fails while it is imported.
    """
    try:
        module, name = _address(where)
        # Told before: importing code runs it.
        log.info("reward %s from %s", where, _source(module))
        found = getattr(_imported(module), name)
    # Code of others may fail with anything while it is imported.
    except Exception as error:
        raise RewardError(f"reward {where!r} cannot be loaded: {one_line(error)}") from error
    if not callable(found):
        raise RewardError(f"reward {where!r} is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def _address(where: str) -> tuple[str, str]:
    """The module or file that a recipe names, and the function in it."""
    module, _, name = where.rpartition(":")
    if not module and "." not in where:
        known = entry_points(group=GROUP)
        if where not in known.names:
            raise ImportError(f"no such reward; known: {', '.join(sorted(known.names))}")
        return known[where].module, known[where].attr
    return (module, name) if module else (where.rpartition(".")[0], where.rpartition(".")[2])


def _source(module: str) -> str | None:
    """The file that holds a module, found without running it or the packages around it."""
    if module.endswith(".py"):
        return str(Path(module).resolve())
    name, *inner = module.split(".")
    spec = importlib.util.find_spec(name)
    for part in inner:
        name = f"{name}.{part}"
        places = (spec.submodule_search_locations if spec else None) or []
        spec = PathFinder.find_spec(name, places)
    return spec.origin if spec else None


def _imported(module: str) -> ModuleType:
    if not module.endswith(".py"):
        return importlib.import_module(module)
    spec = importlib.util.spec_from_file_location(Path(module).stem, module)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module} is no Python file")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@dataclass
class Reward:
    """A reward function as TRL calls it, with everything it names filled in.

    TRL hands over rank-local slices; each holds whole groups (the GRPO stage makes sure of it).
    """

    function: Callable[..., Any]
    spec: RewardSpec
    batch: "Batch"
    __name__: str = field(init=False)

    def __post_init__(self) -> None:
        self.__name__ = self.spec.name
        self.batch.rewards += 1
        accepted = inspect.signature(self.function).parameters
        self._takes_all = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        self._accepted = frozenset(accepted) - frozenset(self.spec.args)
        if unknown := [a for a in self.spec.args if a not in accepted and not self._takes_all]:
            raise RewardError(f"reward {self.__name__} takes no argument {unknown[0]!r}")

    def check(self, columns: Collection[str]) -> None:
        """Raise RewardError when the function needs what neither TRL nor the data set has."""
        for name, parameter in inspect.signature(self.function).parameters.items():
            named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            given = name in self.spec.args or name in columns or name in RESERVED
            if named and parameter.default is parameter.empty and not given:
                raise RewardError(
                    f"reward {self.__name__} needs {name!r}, which is neither in its args nor a "
                    f"column; there are {', '.join(sorted({*columns, *RESERVED}))}"
                )

    def __call__(self, **given: Any) -> list[float | None]:
        """Score one batch; see TRL's GRPOTrainer for the keywords."""
        self.batch.take(given)
        filled = {**given, **self.batch.fixtures}
        named = filled if self._takes_all else {k: filled[k] for k in self._needed(filled)}
        try:
            with _at_most(self.spec.timeout, self.__name__):
                values = self.function(**{**named, **self.spec.args})
        except Exception as error:
            ids = ", ".join(given["id"][:3])
            raise RewardError(
                f"reward {self.__name__} failed with {type(error).__name__}: {error} "
                f"(in a batch of {len(given['id'])} completions that begins with {ids})"
            ) from error
        checked = self._checked(values, given)
        self.batch.pay(self.spec.weight, checked, given["log_metric"])
        return checked

    def _needed(self, filled: Mapping[str, Any]) -> list[str]:
        return [name for name in self._accepted if name in filled]

    def _checked(self, values: Any, given: Mapping[str, Any]) -> list[float | None]:
        """The values, with unscored groups left out.

        Raises:
            RewardError: not one finite number or None for each, or None for a part of a group.
        """
        ids = given["id"]
        if not isinstance(values, Sequence) or len(values) != len(ids):
            got = len(values) if isinstance(values, Sequence) else type(values).__name__
            raise RewardError(f"reward {self.__name__} returned {got} for {len(ids)} completions")
        for value, example in zip(values, ids, strict=True):
            if value is not None and not _is_finite(value):
                raise RewardError(
                    f"reward {self.__name__} returned {value!r} for example {example}; "
                    "it must be a finite number or None"
                )
        self._check_groups(values, ids)
        return [
            None if value is None or spoilt else float(value)
            for value, spoilt in zip(values, self.batch.unscored, strict=True)
        ]

    def _check_groups(self, values: Sequence[float | None], ids: Sequence[str]) -> None:
        scored: dict[Any, bool] = {}
        for value, group, example in zip(values, self.batch.groups, ids, strict=True):
            if scored.setdefault(group, value is not None) != (value is not None):
                raise RewardError(
                    f"reward {self.__name__} returned None for a part of the completions of "
                    f"example {example}; a group is scored as a whole or not at all"
                )


@contextmanager
def _at_most(seconds: float, name: str) -> Iterator[None]:
    """End the program when a reward does not return: it may hold back whatever is raised in it."""
    watch = threading.Timer(seconds, _give_up, (seconds, name))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _give_up(seconds: float, name: str) -> None:
    sys.stderr.write(
        f"error: reward {name} has not returned for {seconds:g} seconds; mend it, or give it a "
        "longer timeout in the recipe; the same command goes on from the last checkpoint\n"
    )
    sys.stderr.flush()
    os._exit(2)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


class Batch:
    """The batch that TRL is scoring: its verdicts are asked for once, whichever reward comes first.

    Attributes:
        rewards: How many reward functions score it.
        fixtures: What a reward can name besides TRL's keywords and the columns.
        groups: What each completion answers; equal for completions of one group.
        unscored: Whether the completion could not be judged, for whatever reward.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._taken = panel, None
        self._ended: float | None = None
        self.rewards = 0

    def take(self, given: Mapping[str, Any]) -> None:
        """Judge the batch, unless it is the one judged last; log what came of it."""
        # The very list, which is kept alive here, so that its identity is not used again.
        if given["completions"] is self._taken:
            return
        self._taken = given["completions"]
        given_columns = {key: values for key, values in given.items() if key not in RESERVED}
        rows = [
            dict(zip(given_columns, row, strict=True))
            for row in zip(*given_columns.values(), strict=True)
        ]
        meter = Meter(self._panel.policy.usage)
        judged = self._panel.judge(rows, [reply_of(c) for c in given["completions"]])
        self._judged, self._paid = judged, list[list[float | None]]()
        for name, value in self._asking(meter.read()):
            given["log_metric"](name, value)
        self.fixtures = {
            "repredict": self._panel.repredict,
            "questions": self._panel.questions(rows),
            **self._panel.fixtures(judged),
        }
        self.groups = [(r["task"], r.get("style"), r.get("budget"), r["id"]) for r in rows]
        self.unscored = [one.status == "unscored" for one in judged]
        for name, value in self._panel.figures(judged):
            given["log_metric"](name, value)
        for name, values in self._panel.columns(judged).items():
            given["log_extra"](name, values)

    def pay(
        self, weight: float, values: Sequence[float | None], log_metric: Callable[..., None]
    ) -> None:
        """Keep what one reward gives; behind the last of them, log what all of them teach."""
        self._paid.append([None if value is None else weight * value for value in values])
        if len(self._paid) == self.rewards:
            for name, value in self._panel.taught(self._judged, _totals(self._paid)):
                log_metric(name, value)

    def _asking(self, taken: Usage) -> Iterator[tuple[str, float]]:
        """What judging asked, and its share of the time since the batch before was judged."""
        known = throughput(taken)
        for name in ("questions", "distinct", "cached", "questions_per_second", "prefix_hit_rate"):
            if known[name] is not None:
                yield f"ask/{name}", known[name]
        now = time.perf_counter()
        if self._ended is not None:
            yield "ask/share_of_time", taken.seconds / (now - self._ended)
        self._ended = now


def _totals(paid: Sequence[Sequence[float | None]]) -> list[float | None]:
    """What each completion earns; as in TRL a None counts nothing, and None alone is no reward."""
    given = [[value for value in of if value is not None] for of in zip(*paid, strict=True)]
    return [sum(of) if of else None for of in given]


def reply_of(completion: Sequence[Mapping[str, str]]) -> str:
    """What the policy said, of a completion in conversational form."""
    return completion[-1]["content"].strip() if completion else ""
