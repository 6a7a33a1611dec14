"""Reward functions, one short file each, built on the checks in `rl_faith.checks`."""
