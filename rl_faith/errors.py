"""The exceptions a user meets. Each message is one sentence: what was wrong, where, what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from reprlib import Repr


class RLFaithError(Exception):
    """Base of every error caused by input; commands print it and exit with 2."""


class RecipeError(RLFaithError):
    """A recipe has an unknown key, a bad value, or belongs to another stage."""


class TaskError(RLFaithError):
    """A task file is incomplete or names labels that cannot be told apart."""


class DataError(RLFaithError):
    """A data file lacks a column, holds an unknown label or too few examples."""


class ModelError(RLFaithError):
    """A model cannot be used: no chat template, wrong adapter, ambiguous label tokens."""


class RewardError(RLFaithError):
    """A reward function cannot be found, failed, or returned what is no reward."""


class RunError(RLFaithError):
    """A run directory belongs to another recipe, is incomplete, or cannot be written."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the program with a sentence and 2 on a user's error, with 130 on Ctrl-C."""
    try:
        yield
    except RLFaithError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; run the same command again to go on\n")
        sys.exit(130)


_LONGEST = 500
_REPR = Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 3, 80, 80


def one_line(said: object) -> str:
    """A message of several lines as one, cut where nobody would read on."""
    line = " ".join(str(said).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def shown(value: object) -> str:
    """A value of any size as an error shows it: as Python writes it, the middle left out."""
    try:
        return _REPR.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
