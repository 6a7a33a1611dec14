"""Words as people see them: finding, redacting and comparing them.

A *word* is a URL, a handle or hashtag, a number with its unit, a letter word with inner
apostrophes or hyphens, an emoji, or an emoticon standing alone. Punctuation stuck to a word is
not part of it, so redacting "awful" in "awful!!" leaves "[REDACTED]!!".
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import regex
from rapidfuzz.distance import Levenshtein

REDACTED = "[REDACTED]"

_PLACEHOLDER = r"\[\s*redacted\s*\]"
_EMOJI = (
    r"\p{RI}{2}|[0-9#*]\uFE0F?\u20E3"
    r"|(?=\p{Emoji})[^\p{ASCII}](?:\p{EMod}|\uFE0F)?"
    r"(?:\u200D(?=\p{Emoji})[^\p{ASCII}](?:\p{EMod}|\uFE0F)?)*"
)
_EMOTICON = r"(?<!\S)(?:[<>]?[:;=8xX][\-o*'^]?[()\[\]{}dDpP/\\|@3oOsS*$]+|<[/\\]?3+|\^_*\^)(?!\S)"
_URL = r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?()\[\]'’”]"
_LETTER = r"[\p{L}\p{M}\p{N}_]"
_TOKEN = regex.compile(
    rf"""(?P<placeholder>{_PLACEHOLDER})
    |(?P<word>{_URL}
      |{_EMOTICON}
      |{_EMOJI}
      |[@\#]{_LETTER}+(?:[-'’]{_LETTER}+)*
      |(?:\p{{L}}\.){{2,}}
      |\p{{Sc}}?\p{{N}}+(?:[.,:/]\p{{N}}+)*{_LETTER}*(?:[-'’]{_LETTER}+)*%?
      |{_LETTER}+(?:['’`*&\-‐‑]+{_LETTER}+)*)
    |(?P<mark>\S)""",
    regex.VERBOSE | regex.IGNORECASE | regex.VERSION1,
)


@dataclass(frozen=True)
class Token:
    """A piece of text without white space.

    Attributes:
        text: The characters as written.
        start: Offset of the first character.
        end: Offset behind the last character.
        kind: "word", "mark" (punctuation) or "placeholder" (`[REDACTED]`).
    """

    text: str
    start: int
    end: int
    kind: str

    @property
    def key(self) -> str:
        """The form under which two tokens count as the same (any case, any apostrophe)."""
        return fold(self.text)


def fold(word: str) -> str:
    """Return `word` without differences of case and of apostrophe."""
    return word.casefold().replace("’", "'").replace("`", "'")


def tokens(text: str) -> list[Token]:
    """Split `text` into words, marks and placeholders, with their offsets."""
    return [Token(m[0], m.start(), m.end(), m.lastgroup or "mark") for m in _TOKEN.finditer(text)]


def words(text: str) -> list[Token]:
    """Return the words of `text` in order; repeated words come repeatedly."""
    return [t for t in tokens(text) if t.kind == "word"]


def redact(text: str, positions: Collection[int]) -> str:
    """Replace the words at `positions` (indices into `words(text)`) by `[REDACTED]`."""
    parts, done = [], 0
    for i, word in enumerate(words(text)):
        if i in positions:
            parts += [text[done : word.start], REDACTED]
            done = word.end
    return "".join([*parts, text[done:]])


def replace(text: str, position: int, new: str) -> str:
    """Replace the word at `position` by `new`, keeping a leading capital."""
    old = words(text)[position]
    if old.text[:1].isupper() and not old.text.isupper():
        new = new[:1].upper() + new[1:]
    return text[: old.start] + new + text[old.end :]


def positions_of(text: str, listed: Iterable[str]) -> tuple[int, ...]:
    """Return the positions in `text` of every occurrence of the listed words, in any case."""
    keys = {fold(w) for w in listed}
    return tuple(i for i, word in enumerate(words(text)) if word.key in keys)


def edit_distance(a: str, b: str) -> int:
    """Word-level Levenshtein distance; `[REDACTED]` counts as a word, punctuation does not."""
    return int(Levenshtein.distance(_keys(a), _keys(b)))


def changed_words(a: str, b: str) -> list[tuple[str, str]]:
    """The word edits that turn `a` into `b`: (old, new), with "" for insertion or deletion."""
    old, new = _word_texts(a), _word_texts(b)
    return [
        (
            old[op.src_pos] if op.tag != "insert" else "",
            new[op.dest_pos] if op.tag != "delete" else "",
        )
        for op in Levenshtein.editops(_keys(a), _keys(b))
    ]


def _word_texts(text: str) -> list[str]:
    return [t.text for t in tokens(text) if t.kind != "mark"]


def _keys(text: str) -> list[str]:
    return [t.key for t in tokens(text) if t.kind != "mark"]


def align_redaction(text: str, redacted: str) -> tuple[int, ...] | None:
    """Find which words of `text` were redacted to give `redacted`.

    A placeholder stands for one word, or for a run of tokens when the model drew several words
    together. Case, apostrophes and white space may differ; everything else must be as in `text`.

    Returns:
        Positions into `words(text)`, or None when `redacted` is not a redaction of `text`.
    """
    whole, kept = tokens(text), tokens(redacted)
    gaps = _one_to_one(whole, kept) or _runs(whole, kept)
    if gaps is None:
        return None
    index = {t.start: i for i, t in enumerate(words(text))}
    return tuple(index[t.start] for t in gaps if t.kind == "word")


def _one_to_one(whole: Sequence[Token], kept: Sequence[Token]) -> list[Token] | None:
    """Tokens under placeholders when both texts have the same number of tokens."""
    if len(whole) != len(kept):
        return None
    if any(k.kind != "placeholder" and k.key != w.key for w, k in zip(whole, kept, strict=True)):
        return None
    return [w for w, k in zip(whole, kept, strict=True) if k.kind == "placeholder"]


def _runs(whole: Sequence[Token], kept: Sequence[Token]) -> list[Token] | None:
    """Tokens under placeholders that may each cover a run: glob matching, leftmost first."""
    fragments: list[list[Token]] = [[]]
    for token in kept:
        if token.kind == "placeholder":
            fragments.append([])
        else:
            fragments[-1].append(token)
    first, *middle = fragments
    if not middle or not _same(whole[: len(first)], first):
        return None
    gaps: list[Token] = []
    at = len(first)
    for i, fragment in enumerate(middle):
        start = _find(whole, fragment, at + 1, at_end=i == len(middle) - 1)
        if start is None:
            return None
        gaps += whole[at:start]
        at = start + len(fragment)
    return gaps


def _find(
    whole: Sequence[Token], fragment: Sequence[Token], start: int, *, at_end: bool
) -> int | None:
    last = len(whole) - len(fragment)
    for at in range(last if at_end else start, last + 1):
        if at >= start and _same(whole[at : at + len(fragment)], fragment):
            return at
    return None


def _same(a: Sequence[Token], b: Sequence[Token]) -> bool:
    return [t.key for t in a] == [t.key for t in b]
