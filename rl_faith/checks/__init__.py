"""Verdicts: one piece of code judges an explanation, for reward, evaluation and data alike."""

from rl_faith.checks.self_consistency import Case, Inquiry, Mode, Verdict, inquire, judge, settle

__all__ = ["Case", "Inquiry", "Mode", "Verdict", "inquire", "judge", "settle"]
