"""Words as people see them: finding, redacting and comparing them.

A *word* is a URL, a handle or hashtag, a number with its unit, a letter word with inner
apostrophes or hyphens, an emoji, or an emoticon standing alone. Punctuation stuck to a word is
not part of it, so redacting "awful" in "awful!!" leaves "[REDACTED]!!". In scripts without spaces
a run of letters is one word.

Redacting a word never changes how the rest is read: no word can swallow the placeholder behind
it, and none looks at more of its neighbours than whether they are letters or white space.
"""

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

import regex
from rapidfuzz.distance import Levenshtein

REDACTED = "[REDACTED]"

_PLACEHOLDER = r"\[\s*redacted\s*\]"
_URL = r"(?:https?://|www\.)[^\s<>\"\[\]\p{EPres}]*[^\s<>\"\[\]\p{EPres}.,;:!?()'’”]"
_LETTER = r"[\p{L}\p{M}\p{N}]"
_EMOTICON = (
    rf"(?<!\S)(?:[<>]?[:;=][\-o*'^,]?[dp3os]+(?!{_LETTER})|<[/\\]?3+(?!{_LETTER}|[.,]\p{{N}})"
    r"|(?:[<>]?[:;=][\-o*'^,]?[()\[\]{}/\\|@*$]+|[()]+[\-']?[:;=]"
    r"|\^[_.]*\^|>[_.]+<|-_+-|;_+;)(?![^\s.,!?…]))"
)
_PICTURE = r"(?![©®™‼⁉])(?=\p{Emoji})[^\p{ASCII}][\p{EMod}\uFE0E\uFE0F\U000E0020-\U000E007F]*"
_EMOJI = rf"\p{{RI}}{{2}}|[0-9\#*]\uFE0F?\u20E3|{_PICTURE}(?:\u200D{_PICTURE})*"
# One hyphen joins two halves, two are a dash; several asterisks hide a swear word.
_MORE = rf"(?:(?:['’‘`´&\-‐‑\u00AD\u200C\u200D]|[*]+|_+){_LETTER}+)*"
_ACRONYM = rf"\p{{L}}(?:\.\p{{L}})+(?!{_LETTER})"
_NUMBER = rf"\p{{Sc}}?\p{{N}}+(?:[.,:/]\p{{N}}+)*°?{_LETTER}*{_MORE}[%‰\p{{Sc}}]?"
_TOKEN = regex.compile(
    rf"""(?P<placeholder>{_PLACEHOLDER})
    |(?P<word>{_URL}
      |{_EMOTICON}
      |{_EMOJI}
      |[@\#][\p{{L}}\p{{M}}\p{{N}}_]+{_MORE}
      |{_ACRONYM}
      |{_NUMBER}
      |\p{{L}}{_LETTER}*{_MORE})
    |(?P<mark>[^\s\p{{Cc}}\p{{Cf}}])""",
    regex.VERBOSE | regex.IGNORECASE | regex.VERSION1,
)
# Sorting a run of accents takes time quadratic in its length, so long runs are parted as in the
# Stream-Safe Text Format (Unicode Standard Annex 15, section 13).
_MOST_ACCENTS = 30
_LONG_RUN = regex.compile(
    rf"[\p{{M}}--\u034F]{{{_MOST_ACCENTS}}}(?=[\p{{M}}--\u034F])", regex.VERSION1
)
_SAME = str.maketrans("’‘`´ʼ＇‐‑", "''''''--", "\u00ad\ufe0e\ufe0f")


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
    """Return `word` without differences of case, apostrophe, hyphen or encoding of accents."""
    if word.isascii():
        return word.lower().replace("`", "'")
    if len(word) > _MOST_ACCENTS:
        word = _LONG_RUN.sub("\\g<0>\u034f", word)
    canonical = unicodedata.normalize("NFD", word).casefold()
    return unicodedata.normalize("NFC", canonical).translate(_SAME)


# A text is redacted at each of its words in turn; few entries, since a reply may be long.
@lru_cache(maxsize=256)
def tokens(text: str) -> tuple[Token, ...]:
    """Split `text` into words, marks and placeholders, with their offsets."""
    found = _TOKEN.finditer(text)
    return tuple(Token(m[0], m.start(), m.end(), m.lastgroup or "mark") for m in found)


def words(text: str) -> list[Token]:
    """Return the words of `text` in order; repeated words come repeatedly."""
    return [t for t in tokens(text) if t.kind == "word"]


def redact(text: str, positions: Collection[int]) -> str:
    """Replace the words at `positions` (indices into `words(text)`) by `[REDACTED]`."""
    chosen, parts, done = frozenset(positions), [], 0
    for i, word in enumerate(words(text)):
        if i in chosen:
            parts += [text[done : word.start], REDACTED]
            done = word.end
    return "".join([*parts, text[done:]])


def replace(text: str, position: int, new: str) -> str:
    """Replace the word at `position` by `new`, keeping a leading capital.

    Where `new` would grow together with what stands next to it, spaces keep it apart.
    """
    found = words(text)
    old = found[position]
    if old.text[:1].isupper() and not old.text.isupper():
        new = new[:1].upper() + new[1:]
    before, after = text[: old.start], text[old.end :]
    rest = [t.key for t in found]
    wanted = [*rest[:position], *(t.key for t in words(new)), *rest[position + 1 :]]
    spaced = [before + left + new + right + after for left in ("", " ") for right in ("", " ")]
    return next((t for t in spaced if [w.key for w in words(t)] == wanted), spaced[0])


def positions_of(text: str, listed: Iterable[str]) -> tuple[int, ...]:
    """Return the positions in `text` of every occurrence of the listed words, in any case."""
    keys = {fold(w) for w in listed}
    return tuple(i for i, word in enumerate(words(text)) if word.key in keys)


def edit_distance(a: str, b: str) -> int:
    """Word-level Levenshtein distance; `[REDACTED]` counts as a word, punctuation does not."""
    return int(Levenshtein.distance(_keys(_spoken(a)), _keys(_spoken(b))))


def changed_words(a: str, b: str) -> list[tuple[str, str]]:
    """The word edits that turn `a` into `b`: (old, new), with "" for insertion or deletion."""
    old, new = _spoken(a), _spoken(b)
    return [
        (
            old[op.src_pos].text if op.tag != "insert" else "",
            new[op.dest_pos].text if op.tag != "delete" else "",
        )
        for op in Levenshtein.editops(_keys(old), _keys(new))
    ]


def _spoken(text: str) -> list[Token]:
    """The tokens that count when texts are compared: punctuation does not."""
    return [t for t in tokens(text) if t.kind != "mark"]


def _keys(spoken: Iterable[Token]) -> list[str]:
    return [t.key for t in spoken]


def align_redaction(text: str, redacted: str) -> tuple[int, ...] | None:
    """Find which words of `text` were redacted to give `redacted`.

    A placeholder stands for one word, or for a run of words when the model drew several together.
    Case, apostrophes, white space and punctuation may differ; every other word must be as in
    `text`.

    Returns:
        Positions into `words(text)`, or None when `redacted` is not a redaction of `text`.
    """
    whole, drawn, codes = _spoken(text), _spoken(redacted), dict[str, str]()
    kept = "".join(
        "\0" if t.kind == "placeholder" else codes.setdefault(t.key, chr(len(codes) + 2))
        for t in drawn
    )
    # Only words of the reply have a code: a long input may hold more words than there are codes.
    written = "".join(codes.get(t.key, "\1") for t in whole)
    if (gaps := _gaps(written, kept)) is None:
        return None
    index = {t.start: i for i, t in enumerate(words(text))}
    return tuple(index[whole[g].start] for g in gaps if whole[g].kind == "word")


def _gaps(written: str, kept: str) -> list[int] | None:
    r"""Indices into `written` under the wild cards "\0" of `kept`, each one or more, leftmost."""
    first, *middle = kept.split("\0")
    if not middle or not written.startswith(first):
        return None
    gaps, at = list[int](), len(first)
    for i, fragment in enumerate(middle):
        last = i == len(middle) - 1
        start = len(written) - len(fragment) if last else written.find(fragment, at + 1)
        if start <= at or not written.startswith(fragment, start):
            return None
        gaps += range(at, start)
        at = start + len(fragment)
    return gaps
