"""What the rewards of GRPO runs taught: how much of their spread is valid against invalid replies.

    python scripts/form_share.py runs/smollm2-135m/ag_news/counterfactual/sft-rl

Runs log it as faith/form_share at every step; this is it over all steps, read from the completions
of runs whose recipe says log_completions, also of older ones. As a Markdown table.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from rl_faith.errors import RunError
from rl_faith.recipes import RewardSpec
from rl_faith.training.form import form_share

VALID = ("faithful", "unfaithful")


def completions(run: Path) -> pd.DataFrame:
    """All completions of a run that were scored."""
    files = sorted(run.glob("completions/*.parquet"))
    if not files:
        raise RunError(f"{run} holds no completions: its recipe has to say log_completions: true")
    found = pd.concat(map(pd.read_parquet, files))
    scored = found[~found["outcome"].str.startswith("unscored")]
    if not (scored["outcome"].isin(VALID) | scored["outcome"].str.startswith("invalid")).all():
        raise RunError(f"{run} is of the other test, in which no explanation is invalid")
    return scored


def totals(run: Path, found: pd.DataFrame) -> list[float]:
    """What each completion earned, by the weights of the recipe."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    specs = [RewardSpec(**given) for given in recipe["rewards"]]
    return list(sum(spec.weight * found[spec.name].fillna(0) for spec in specs))


def line(run: Path) -> str:
    """The run as a line of the table."""
    found = completions(run)
    groups = [
        (step, _text(prompt)) for step, prompt in zip(found["step"], found["prompt"], strict=True)
    ]
    valid = list(found["outcome"].isin(VALID))
    share = form_share(totals(run, found), groups, valid)
    shown = "–" if share is None else f"{share:.2f}"
    return f"| {run} | {shown} | {sum(valid) / len(valid):.2f} | {len(found)} |"


def _text(prompt: Any) -> str:
    return "\n".join(message["content"] for message in prompt)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of GRPO runs")
    try:
        lines = [line(run) for run in parser.parse_args().runs]
    except (RunError, OSError, KeyError) as error:
        sys.exit(str(error))
    sys.stdout.write("\n".join(["| run | form | valid | n |\n|---|---|---|---|", *lines]) + "\n")


if __name__ == "__main__":
    main()
