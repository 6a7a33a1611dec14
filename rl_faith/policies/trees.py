"""Sequences laid over each other as a tree, so that what they share at the beginning is read once.

Questions about edits of one text begin alike up to the edit. Put into one sequence, each distinct
beginning once, they need no padding either: a node attends to its ancestors only, as tree attention
does in speculative decoding (Miao et al. 2024, SpecInfer, section 4.2). Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """Some sequences as one; the first four have an entry for each node.

    Attributes:
        tokens: In the order of a depth-first walk, so that every subtree is one stretch.
        depths: The node's position in its sequences.
        ends: Where the node's subtree ends.
        sequences: Index of each sequence among those given, and its nodes from root to leaf.
    """

    tokens: list[int]
    depths: list[int]
    ends: list[int]
    sequences: dict[int, list[int]]


def trees(sequences: Sequence[Ids], *, max_tokens: int) -> Iterator[Tree]:
    """Yield trees of at most `max_tokens` nodes each that hold every sequence once.

    Sequences that begin alike are neighbours, so that few beginnings are in two trees. A sequence
    longer than `max_tokens` makes a tree of its own.
    """
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    growing, last = Tree([], [], [], {}), Ids()
    for i in order:
        shared = _shared(last, sequences[i])
        if growing.tokens and len(growing.tokens) + len(sequences[i]) - shared > max_tokens:
            yield growing
            growing, last, shared = Tree([], [], [], {}), Ids(), 0
        _grow(growing, i, sequences[i], _path(growing)[:shared])
        last = sequences[i]
    if growing.tokens:
        yield growing


def distinct_tokens(sequences: Sequence[Ids]) -> int:
    """The nodes of one tree of all sequences: the tokens that have to be read."""
    ordered = sorted(set(sequences))
    shared = sum(_shared(a, b) for a, b in pairwise(ordered))
    return sum(map(len, ordered)) - shared


def _path(tree: Tree) -> list[int]:
    """The nodes of the sequence that came last."""
    return next(reversed(tree.sequences.values()), [])


def _grow(tree: Tree, index: int, ids: Ids, path: list[int]) -> None:
    """Add a sequence whose beginning is there already, as `path`."""
    start, new = len(tree.tokens), ids[len(path) :]
    tree.tokens.extend(new)
    tree.depths.extend(range(len(path), len(ids)))
    end = len(tree.tokens)
    tree.ends.extend([end] * len(new))
    for node in path:
        tree.ends[node] = end
    tree.sequences[index] = [*path, *range(start, end)]


def _shared(a: Ids, b: Ids) -> int:
    """How many tokens two sequences have in common before they differ."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
