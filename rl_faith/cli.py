"""The command line. Nothing slow is imported before a command needs it."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rl_faith import __version__
from rl_faith.errors import RecipeError, exit_on_error

_EPILOG = (
    "Training runs under accelerate: accelerate launch -m rl_faith.training.sft --config RECIPE. "
    "Keys of a recipe can be given on the command line: rl-faith build --config RECIPE --out DIR."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `rl-faith`."""
    given, rest = _parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # Before transformers is imported: its bars and hints would drown ours.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with exit_on_error():
        if rest and given.command not in ("build", "evaluate", "check-reward"):
            raise RecipeError(f"unknown argument {rest[0]!r} of rl-faith {given.command}")
        given.run(given, rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rl-faith",
        description="Measure whether a model's explanations of its decisions are true of it.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"rl-faith {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_stages(commands)
    _add_compare(commands)
    _add_audit(commands)
    _add_card(commands)
    _add_explain(commands)
    _add_doctor(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="build, train and compare on an embedded model")
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="where to write")
    demo.add_argument(
        "--test", choices=["self_consistency", "counterfactual"], default="self_consistency"
    )
    demo.set_defaults(run=_demo)


def _add_stages(commands: Any) -> None:
    for name, help_text in (
        ("build", "build pseudo-faithful explanations by erasure"),
        ("evaluate", "evaluate models on the task x style grid"),
    ):
        stage = commands.add_parser(name, help=help_text, epilog=_EPILOG)
        stage.add_argument("--config", required=True, help="the recipe (YAML)")
        stage.set_defaults(run=_stage)
    check = commands.add_parser("check-recipe", help="check recipes without running them")
    check.add_argument("recipes", nargs="+", type=Path)
    check.set_defaults(run=_check_recipe)
    rewards = commands.add_parser(
        "check-reward", help="try a recipe's rewards on explanations of known worth", epilog=_EPILOG
    )
    rewards.add_argument("recipe", help="a GRPO recipe (YAML)")
    _add_backend(rewards)
    rewards.set_defaults(run=_check_reward)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="compare the models of one or more evaluations")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    compare.add_argument("--baseline", help="the model to compare with (default: the first)")
    compare.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write index.html, report.md and results.json here; RUN may then be a build or a "
        "training run as well",
    )
    compare.set_defaults(run=_compare)


def _add_audit(commands: Any) -> None:
    audit = commands.add_parser("audit", help="look for gaming behind a gain in faithfulness")
    audit.add_argument("run_dir", type=Path, metavar="RUN", help="a folder that evaluate wrote")
    audit.add_argument("--baseline", help="the model before training (default: the first)")
    audit.set_defaults(run=_audit)


def _add_card(commands: Any) -> None:
    card = commands.add_parser("card", help="put an evaluation into the cards of its models")
    card.add_argument("run_dir", type=Path, metavar="RUN", help="a folder that evaluate wrote")
    card.add_argument("--baseline", help="the model before training (default: the first)")
    card.set_defaults(run=_card)


def _add_explain(commands: Any) -> None:
    explain = commands.add_parser("explain", help="show one input whole")
    explain.add_argument("--model", default="toy", help='Hub id, folder, adapter, or "toy"')
    explain.add_argument("--task", default="sentiment140", help="shipped task or a .yaml file")
    explain.add_argument("--text", required=True, help="the input")
    explain.add_argument("--context", default="", help="the second input (SNLI's hypothesis)")
    explain.add_argument("--gold", default="", help="the right label, if known")
    explain.add_argument("--budget", choices=["one", "multi"], default="one")
    _add_backend(explain)
    explain.add_argument("--dtype", default="float32")
    explain.add_argument("--max-new-tokens", type=int, default=128)
    explain.set_defaults(run=_explain)


def _add_backend(command: Any) -> None:
    command.add_argument(
        "--policy", choices=["transformers", "vllm", "server"], default="transformers"
    )
    command.add_argument("--base-urls", nargs="+", help="where the servers are (--policy server)")


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="show which backends this machine can use")
    doctor.set_defaults(run=_doctor)


def _demo(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.demo import demo  # noqa: PLC0415

    demo(given.out, given.test)


def _stage(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.recipes import check_arguments  # noqa: PLC0415

    arguments = ["--config", given.config, *rest]
    check_arguments(given.command, arguments)
    from rl_faith.stages import run_stage  # noqa: PLC0415 - brings torch

    run_stage(given.command, arguments)


def _check_recipe(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.recipes import STAGES, check_recipe  # noqa: PLC0415

    for path in given.recipes:
        stage = check_recipe(path)
        sys.stdout.write(f"{path}: a sound {stage} recipe; {STAGES[stage].command} {path}\n")


def _check_reward(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.recipes import check_arguments  # noqa: PLC0415

    arguments = ["--config", given.recipe, *rest]
    check_arguments("grpo", arguments)
    from rl_faith.training.reward_check import run  # noqa: PLC0415 - brings torch

    run(arguments, given.policy, given.base_urls)


def _compare(given: argparse.Namespace, rest: list[str]) -> None:
    if given.report:
        from rl_faith.report.writing import report  # noqa: PLC0415

        report(given.runs, given.baseline, given.report)
        return
    from rl_faith.evaluation.comparing import run  # noqa: PLC0415

    run(given.runs, given.baseline)


def _audit(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.evaluation.comparing import run_audit  # noqa: PLC0415

    run_audit(given.run_dir, given.baseline)


def _card(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.cards import add_evaluation  # noqa: PLC0415

    add_evaluation(given.run_dir, given.baseline)


def _explain(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.evaluation.show import show  # noqa: PLC0415
    from rl_faith.policies.opening import Backend  # noqa: PLC0415
    from rl_faith.tasks import Example  # noqa: PLC0415

    show(
        given.model,
        given.task,
        Example("text", given.text, given.gold, given.context),
        budget=given.budget,
        wanted=Backend(given.policy, given.dtype, given.base_urls),
        length=given.max_new_tokens,
    )


def _doctor(given: argparse.Namespace, rest: list[str]) -> None:
    from rl_faith.doctor import doctor  # noqa: PLC0415

    doctor()


if __name__ == "__main__":
    main()
