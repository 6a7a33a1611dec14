"""Verdicts: one piece of code judges an explanation, for reward, evaluation and data alike."""

from rl_faith.checks.counterfactual import Disclosure, Probe, disclose
from rl_faith.checks.self_consistency import Case, Inquiry, Mode, Verdict, inquire, judge, settle

__all__ = [
    "Case",
    "Disclosure",
    "Inquiry",
    "Mode",
    "Probe",
    "Verdict",
    "disclose",
    "inquire",
    "judge",
    "settle",
]
