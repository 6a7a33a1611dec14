"""Does the explanation change the prediction with few words?"""

from collections.abc import Sequence

from rl_faith.checks import Verdict


def minimality(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Pay a faithful explanation 1 / (number of words it edits), any other 0.

    For the multi-word setting, where naming every word would change any prediction (ours).

    Args:
        verdicts: From the check that evaluation uses too.
    """
    return [None if v.status == "unscored" else _share(v) for v in verdicts]


def _share(verdict: Verdict) -> float:
    return 1 / verdict.explanation.count if verdict.faithful and verdict.explanation else 0.0
