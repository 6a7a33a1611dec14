"""Does the reply keep to its style and to the number of words asked for?"""

from collections.abc import Sequence

from rl_faith.checks import Verdict


def format(verdicts: Sequence[Verdict]) -> list[float | None]:  # noqa: A001 - the reward's name
    """Pay 1 for a valid explanation and 0 for an invalid one (Doi et al. 2025, section 3.3).

    The conditions are those of the style (attributions name words of the input, redactions change
    nothing else, counterfactuals name no label) and of the budget (one word, or any number).

    Args:
        verdicts: From the check that evaluation uses too.
    """
    return [None if v.status == "unscored" else float(v.status == "valid") for v in verdicts]
