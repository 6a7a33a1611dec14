"""YAML that others wrote: plain values only, and one kind of error whatever is wrong with it."""

from typing import Any

import yaml

from rl_faith.errors import one_line

# Mappings that merge one another (`<<: [*a, *a]`) grow exponentially, and no file of ours is long.
_MOST_KEYS = 1_000


class _Loader(yaml.SafeLoader):
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MOST_KEYS:
            raise ValueError(f"a mapping has more than {_MOST_KEYS} keys")


def read_yaml(text: str) -> Any:
    """Read YAML into texts, numbers, dates, lists and mappings; it can name no class and no code.

    Raises:
        ValueError: it is no YAML; said in one line.
    """
    try:
        return _Loader(text).get_single_data()
    # A date such as 2026-13-45 or brackets without end raise what PyYAML stumbled over.
    except Exception as error:
        raise ValueError(one_line(error)) from None
