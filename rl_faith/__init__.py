"""Measure, and train for, explanations that are true of the model that gives them."""

__version__ = "0.1.0"
