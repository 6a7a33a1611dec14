"""The exceptions a user meets. Each message is one sentence: what was wrong, where, what to do."""

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from reprlib import Repr
from types import FrameType
from typing import NoReturn


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


class TrainingError(RLFaithError):
    """A training lost its model."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the program with a sentence: with 2 on a user's error, 130 on Ctrl-C, 143 on SIGTERM.

    A launcher sends SIGTERM to the processes that are left when one of them has died.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except RLFaithError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt as stop:
        # Said last: what is left on the way, such as progress bars, also writes.
        sys.stderr.write("\nstopped; run the same command again to go on\n")
        sys.exit(128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT))
    except Exception as error:
        if (sentence := _passing(error)) is None:
            raise
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what runs as Ctrl-C does."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


# What libraries raise when something around the program breaks; all they share is their words.
_FULL = re.compile(r"No space left|Disk quota exceeded|File too large|inline_container\.cc")
_ALONE = re.compile(r"gloo|NCCL|Dist(Backend|Network|Store)?Error")


def _passing(error: Exception) -> str | None:
    """The sentence about a failure around the program, after which it can go on."""
    said = one_line(f"{type(error).__name__}: {error}")
    if _FULL.search(said):
        return (
            f"could not write to disk ({said}); make room: what was written before is kept, and "
            "the same command goes on from there"
        )
    if _ALONE.search(said):
        return (
            f"another process of this run cannot be reached ({said}); its own message says why, "
            "if it could leave one, and the same command goes on from what is written"
        )
    return None


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
