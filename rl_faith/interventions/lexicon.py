"""English words and their parts of speech, from LemmInflect's tables and wordfreq's counts.

Only look-ups: nothing is guessed for words that the tables lack, and nothing is read before the
first question. Zipf frequency is log10 of occurrences in a thousand million words.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import takewhile
from typing import Literal

from rl_faith.interventions.english import word_list
from rl_faith.text import fold

Kind = Literal["adjective", "adverb", "noun", "verb"]

_TAGS: Mapping[Kind, str] = {"adjective": "ADJ", "adverb": "ADV", "noun": "NOUN", "verb": "VERB"}
_ORDINARY = 3.5  # zipf: about three times in a million words
_SHORTEST = 4
_FUNCTION_WORD = 5.0
# The tables call nearly every noun a verb, too ("to man", "to school"). It is one in earnest when
# its past or -ing form is at most ten times rarer than its base form.
_VERB_IN_EARNEST = -1.0

_NO_NOUN_OR_VERB = word_list("no_noun_or_verb")
_UNFIT = frozenset[str]().union(
    *map(word_list, ("not_before_a_noun", "not_before_a_verb", "offensive"))
)


@cache
def adjectives() -> tuple[str, ...]:
    """Ordinary words that are adjectives and nothing else, in their base form."""
    return _only("ADJ")


@cache
def adverbs() -> tuple[str, ...]:
    """Ordinary words in -ly that are adverbs and nothing else: those that stand before a verb."""
    return tuple(word for word in _only("ADV") if word.endswith("ly"))


@lru_cache(maxsize=1 << 16)
def readings(word: str) -> frozenset[Kind]:
    """What the lower-case `word` can be in running text.

    Empty for unknown words and for function words: a pronoun is a noun without inflected forms
    in the tables, an auxiliary is marked there, and a few others are listed in english.yaml.
    """
    found = _lemmas(word)
    if "AUX" in found or word in _NO_NOUN_OR_VERB:
        return frozenset()
    kinds: set[Kind] = {kind for kind, tag in _TAGS.items() if tag in found}
    if not any(_inflections(lemma, "NOUN") for lemma in found.get("NOUN", ())):
        kinds.discard("noun")
    if "noun" in kinds and not any(map(_verb_in_earnest, found.get("VERB", ()))):
        kinds.discard("verb")
    return frozenset(kinds)


@lru_cache(maxsize=1 << 16)
def auxiliary(word: str) -> str:
    """The base form of an auxiliary ("is" -> "be"), or ""."""
    return next(iter(_lemmas(word).get("AUX", ())), "")


@lru_cache(maxsize=1 << 16)
def verb_tags(word: str) -> frozenset[str]:
    """The Penn Treebank tags of the verb forms that `word` can be: VB, VBD, VBG, VBN, VBP, VBZ."""
    return frozenset(
        tag
        for lemma in _lemmas(word).get("VERB", ())
        for tag, spellings in _inflections(lemma, "VERB").items()
        if word in spellings
    )


@lru_cache(maxsize=1 << 14)
def forms(word: str, kind: Kind) -> frozenset[str]:
    """`word`, folded, and its inflected forms as that part of speech: calm, calmer, calmest.

    The adverb in -ly is another word.
    """
    folded = fold(word)
    return frozenset({folded}.union(*_inflections(folded, _TAGS[kind]).values()))


@lru_cache(maxsize=1 << 16)
def is_known(word: str) -> bool:
    """Whether the tables have the lower-case `word`, or it is too frequent to be anything else.

    The tables lack function words such as "of"; a rare word that they lack may be a noun.
    """
    return not word or bool(_lemmas(word)) or _zipf(word) >= _FUNCTION_WORD


def is_name(word: str) -> bool:
    """Whether the tables know the capitalised word as a proper noun ("Rose", "China")."""
    from lemminflect import getAllLemmas  # noqa: PLC0415 - as below

    return bool(getAllLemmas(word.lower(), "PROPN"))


def _only(tag: str) -> tuple[str, ...]:
    return tuple(
        word
        for word in _ordinary()
        if (found := _lemmas(word)).keys() == {tag} and word in found[tag] and word not in _UNFIT
    )


@cache
def _ordinary() -> tuple[str, ...]:
    from wordfreq import iter_wordlist  # noqa: PLC0415 - reads a file of 300,000 words

    frequent = takewhile(lambda word: _zipf(word) >= _ORDINARY, iter_wordlist("en"))
    return tuple(w for w in frequent if len(w) >= _SHORTEST and w.isascii() and w.isalpha())


def _zipf(word: str) -> float:
    from wordfreq import zipf_frequency  # noqa: PLC0415 - as above

    return zipf_frequency(word, "en")


def _verb_in_earnest(lemma: str) -> bool:
    found = _inflections(lemma, "VERB")
    other = {form for tag in ("VBD", "VBG") for form in found.get(tag, ()) if form != lemma}
    return max(map(_zipf, other), default=0.0) - _zipf(lemma) > _VERB_IN_EARNEST


def _lemmas(word: str) -> dict[str, tuple[str, ...]]:
    from lemminflect import getAllLemmas  # noqa: PLC0415 - imports spaCy where there is one

    found: dict[str, tuple[str, ...]] = getAllLemmas(word)
    return found


def _inflections(lemma: str, tag: str) -> dict[str, tuple[str, ...]]:
    from lemminflect import getAllInflections  # noqa: PLC0415 - as above

    found: dict[str, tuple[str, ...]] = getAllInflections(lemma, tag)
    return found
