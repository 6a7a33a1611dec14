"""Where an adjective or an adverb can stand in a sentence, told from the word before it.

There is no tagger: a word that can be several parts of speech gives a place only where the word
before it decides which one it is. Missing a place costs nothing, a wrong one costs a sentence.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from rl_faith.interventions.english import word_list
from rl_faith.interventions.lexicon import auxiliary, is_known, is_name, readings, verb_tags
from rl_faith.text import Token, tokens

_DETERMINERS = word_list("determiners")
_SUBJECTS = word_list("subjects")
_PREPOSITIONS = word_list("prepositions")
_ASKING = word_list("asking") | {""}
_BEHIND_PARTICIPLE = _DETERMINERS | word_list("behind_a_participle")
_ENDS = frozenset(".!?")
_FINITE = frozenset({"VBD", "VBP", "VBZ"})
_BASE = frozenset({"VB"})
_NONE = frozenset[str]()
_AFTER = {
    **{"be": frozenset({"VBG", "VBN"}), "have": frozenset({"VBN"})},
    # "they do work", "they need work": the next word may well be a noun.
    **{"": _NONE, "do": _NONE, "need": _NONE, "dare": _NONE},
}

_UNSURE = re.compile(r"u|eu|on(e|ce)|h(eir|ono|one|our)")  # the first letter misleads


@dataclass(frozen=True)
class Place:
    """A place before a word.

    Attributes:
        start: Offset of the word.
        kind: What can stand there.
        article: "a" or "an" when that is the word before, else "".
        initial: The word owes its capital to the beginning of the sentence.
    """

    start: int
    kind: Literal["adjective", "adverb"]
    article: str = ""
    initial: bool = False

    def insert(self, text: str, word: str) -> tuple[str, str]:
        """Put `word` there. Returns the new text, and the word as it is written in it."""
        before, rest = text[: self.start], text[self.start :]
        if self.initial:
            word, rest = word[:1].upper() + word[1:], rest[:1].lower() + rest[1:]
        return f"{before}{word} {rest}", word

    def admits(self, word: str) -> bool:
        """Whether the article before the place can stay as it is before `word`."""
        if not self.article:
            return True
        vowel = word[:1].lower() in "aeio"
        return not _UNSURE.match(word.lower()) and vowel == (self.article == "an")


@dataclass(frozen=True)
class _Spot:
    """A word and what decides about it.

    Attributes:
        word: The word, folded.
        before: The word before it, folded; "" when there is none or a mark stands between.
        lead: The word before that one, in the same way.
        after: The word behind it, in the same way.
        start: Offset of the word.
        initial: A capitalised word that begins a sentence.
        named: The word before is a name.
        inverted: A question's "do" or modal stands further in front: its verb is a base form.
    """

    word: str
    before: str
    lead: str
    after: str
    start: int
    initial: bool
    named: bool
    inverted: bool


def find_places(
    text: str, nouns: Collection[str] | None = None, verbs: Collection[str] | None = None
) -> list[Place]:
    """Places before the nouns and the verbs of `text`.

    Args:
        text: Any text; English unless both lists are given.
        nouns: Folded words to take for nouns; None for those that the lexicon knows.
        verbs: The same for verbs.
    """
    found = []
    for spot in _spots(text):
        article = spot.before if spot.before in ("a", "an") else ""
        if spot.word in nouns if nouns is not None else _is_noun(spot):
            found.append(Place(spot.start, "adjective", article, spot.initial))
        if spot.word in verbs if verbs is not None else _is_verb(spot):
            found.append(Place(spot.start, "adverb", article, spot.initial))
    return found


def _spots(text: str) -> Iterator[_Spot]:
    """The words in front of which a word may be put without touching another."""
    found = [None, None, *tokens(text), None]
    inverted = False
    for i, token in enumerate(found):
        if token is None:
            continue
        lead, before, after = (found[j] if j >= 0 else None for j in (i - 2, i - 1, i + 1))
        begins = before is None or before.text in _ENDS
        inverted = not begins and (inverted or _inverts(before))
        capital = begins and token.text.istitle() and not is_name(token.text)
        free = not token.start or text[token.start - 1].isspace()
        if token.kind == "word" and free and (capital or token.text.islower()):
            neighbours = _key(before), _key(lead) if _key(before) else "", _key(after)
            named = _is_name(before, lead)
            yield _Spot(token.key, *neighbours, token.start, capital, named, inverted)


def _key(token: Token | None) -> str:
    return token.key if token and token.kind == "word" else ""


def _inverts(token: Token | None) -> bool:
    return auxiliary(_key(token).removesuffix("n't")) not in ("", "be", "have", "need", "dare")


def _is_name(token: Token | None, lead: Token | None) -> bool:
    """Whether a word is capitalised for its own sake; a possessive counts as a determiner."""
    key = _key(token)
    if token is None or not key or key in _SUBJECTS or key.endswith("'s"):
        return False
    begins = lead is None or lead.text in _ENDS
    return token.text[0].isupper() and (not begins or is_name(token.text))


def _is_noun(spot: _Spot) -> bool:
    kinds = readings(spot.word)
    if "noun" not in kinds or "adverb" in kinds:
        return False
    determined = spot.before in _DETERMINERS or spot.before.endswith("'s")
    if "adjective" in kinds:  # "a game in", not "a game board"
        return determined and not readings(spot.after) & {"noun", "adjective"}
    if spot.before in _PREPOSITIONS or readings(spot.before) == {"adjective"}:
        return "VBG" not in verb_tags(spot.word)
    return determined or (kinds == {"noun"} and _frees(spot))


def _frees(spot: _Spot) -> bool:
    """Whether a noun without a determiner can follow: not "parking lot", "will water", "to man"."""
    before = readings(spot.before)
    modal = auxiliary(spot.before) not in ("", "be", "have", "do") and spot.lead not in _ASKING
    tied = modal or spot.named or spot.before == "to" or spot.before in _SUBJECTS
    verb = verb_tags(spot.before) & _expected(spot.lead)
    compound = "noun" in before and "adjective" not in before and not verb
    return not tied and not compound and is_known(spot.before)


def _is_verb(spot: _Spot) -> bool:
    kinds, tags = readings(spot.word), verb_tags(spot.word)
    if spot.word == "do":  # the main verb: "why did Robin do this", "to do"
        return spot.before == "to" or (spot.inverted and spot.named)
    if "verb" not in kinds or "adverb" in kinds:
        return False
    if "VBG" in tags and spot.after in _BEHIND_PARTICIPLE:
        # "a man playing a guitar", "is flying over", not "a boxing arena", "is exciting"
        return "noun" in readings(spot.before) or auxiliary(spot.before) == "be"
    return "adjective" not in kinds and bool(tags & _expected_at(spot))


def _expected_at(spot: _Spot) -> frozenset[str]:
    """The verb forms that can only be a verb at this spot."""
    subject = readings(spot.before)
    if spot.inverted and (spot.named or subject == {"noun"}):
        return _BASE  # "would Quinn feel", "do cars travel"
    if spot.named or "noun" in subject:
        return _FINITE if "noun" not in readings(spot.word) else _NONE
    return _expected(spot.before)


def _expected(before: str) -> frozenset[str]:
    """The verb forms that follow a word that is no noun."""
    if before in _SUBJECTS:
        return _FINITE
    if before in ("to", "not"):
        return _BASE
    base = auxiliary(before.removesuffix("n't"))
    if before.endswith("n't") and base not in ("be", "have"):
        return _BASE
    return _AFTER.get(base, _BASE)
