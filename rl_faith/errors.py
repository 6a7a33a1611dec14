"""The exceptions a user meets. Each message is one sentence: what was wrong, where, what to do."""


class RLFaithError(Exception):
    """Base of every error caused by input; the command line prints it and exits with 2."""


class RecipeError(RLFaithError):
    """A recipe has an unknown key, a bad value, or belongs to another stage."""


class TaskError(RLFaithError):
    """A task file is incomplete or names labels that cannot be told apart."""


class DataError(RLFaithError):
    """A data file lacks a column, holds an unknown label or too few examples."""


class ModelError(RLFaithError):
    """A model cannot be used: no chat template, wrong adapter, ambiguous label tokens."""


class RunError(RLFaithError):
    """A run directory belongs to another recipe or is incomplete."""
