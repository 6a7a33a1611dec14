"""Whether a reply denies that something mattered: "it did not affect me", "regardless of it".

Rules of thumb, for English. A clause denies when

- a negation stands at most five words before a word of influence ("did not really sway me"); "not
  only" is no negation; "no", "little" and "without" look three words ahead;
- it refuses a reason: "not because of", "not due to";
- a word denies by itself ("ignored", "irrelevant", "despite"), unless it is negated in turn.

"The man is calmly walking, so he is not asleep" denies nothing: its "not" is about the man. A
clause without a word of influence takes over what the next one says of "it" or "that".
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from rl_faith.interventions.english import word_list
from rl_faith.text import Token, tokens

Clause = list[str]
"""The folded words of a clause, without possessive endings."""

_STOPS = frozenset(".!?;:…—–-")
_OPENERS = word_list("openers")
_SUBJECTLESS = word_list("subjectless")
_SHORT = 3

_NOT, _NO, _ONLY = word_list("negations"), word_list("lacking"), word_list("only")
_REASON = word_list("reason")
_NOT_REACHES, _NO_REACHES = 5, 3

_EFFECT = re.compile(
    r"(influenc|relevan|importan|significan)\w*|(impact|effect|role|difference|regard|factor)s?"
    r"|matter|weight|bearing|attention|part|connection|relation|consequence|consideration|credence"
)
_INFLUENCE = re.compile(
    r"(affect|impact|alter|sway|weigh|determin|persuad|convinc|contribut|consider|depend|decid)\w*"
    r"|(matter|follow|trust|listen|accept|adopt|account|count|heed)(s|ed|ing)?"
    r"|(chang|us|bas)(e|es|ed|ing)|rel(y|ies|ied|ying)|bias(ed|es|ing)?|decisive"
)
_DENIAL = re.compile(
    r"(ignor|disregard|dismiss|overlook|irrelevan)\w*|discount(ed|ing)?|regardless|irrespective"
    r"|notwithstanding|despite|un(affected|influenced|swayed|moved|changed|related|important)"
    r"|immaterial|insignificant|inconsequential|incidental|negligible|same"
)
_PHRASES = (
    *(" in spite of ", " rather than ", " instead of ", " even without ", " even if "),
    *(" nothing to do ", " changes nothing ", " changed nothing ", " means nothing "),
)
_BACK = word_list("back")


def clauses(reply: str) -> list[Clause]:
    """Cut a reply at line ends, at the ends of sentences, before conjunctions and at commas.

    A comma cuts nothing off that has at most three words, or no subject: "the words quick, calm
    and bright", "my teacher, however, did not sway me".
    """
    found: list[Clause] = []
    for line in reply.splitlines():
        sentence: list[Clause] = []
        for piece, soft in _pieces(line):
            if soft and sentence and (len(piece) <= _SHORT or piece[0] in _SUBJECTLESS):
                sentence[-1] += piece
            else:
                sentence.append(piece)
        found += sentence
    return found


def _pieces(line: str) -> Iterator[tuple[Clause, bool]]:
    """The words between two cuts, and whether they stand behind a mere comma."""
    piece, soft = Clause(), False
    found = tokens(line)
    for token, following in zip_longest(found, found[1:]):
        key = token.key.removesuffix("'s")
        if _cuts(key, piece[-1:], following):
            if piece:
                yield piece, soft
            piece, soft = [], key == ","
        if token.kind == "word":
            piece.append(key)
    if piece:
        yield piece, soft


def _cuts(key: str, before: Clause, following: Token | None) -> bool:
    """Whether a clause ends before the token; "not because" and "but since" hold together."""
    if key == "rather":
        return following is not None and following.key == "than"
    held = any(_negates(word) or word in _OPENERS for word in before)
    return key == "," or key in _STOPS or (key in _OPENERS and not held)


def _negates(word: str) -> bool:
    return word in _NOT or word.endswith("n't")


def denied(found: Sequence[Clause], i: int) -> bool:
    """Whether clause `i` denies influence, or the next does so in its place."""
    verdict = _denies(found[i])
    following = next((c for c in found[i + 1 : i + 3] if len(c) > 1), Clause())
    if verdict is None and not _BACK.isdisjoint(following):
        return _denies(following) is True
    return verdict is True


def _denies(clause: Clause) -> bool | None:
    """True for a denial, False for a word of influence without one, None for neither."""
    text = f" {' '.join(clause)} "
    if any(phrase in text for phrase in _PHRASES):
        return True
    verdicts = {_verdict(clause, i) for i in range(len(clause))}
    return True if True in verdicts else False if False in verdicts else None


def _verdict(clause: Clause, i: int) -> bool | None:
    word, before = clause[i], clause[max(0, i - _NOT_REACHES) : i]
    negated = any(_negates(a) and b not in _ONLY for a, b in pairwise([*before, word]))
    near = before[-_NO_REACHES:]
    if word in _REASON:
        return True if before and _negates(before[-1]) else None
    if _DENIAL.fullmatch(word):
        return not negated and _NO.isdisjoint(near)
    if _EFFECT.fullmatch(word):
        return negated or not _NO.isdisjoint(near)
    return negated or "without" in near if _INFLUENCE.fullmatch(word) else None
