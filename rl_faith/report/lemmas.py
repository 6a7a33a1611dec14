"""Words by their lemma, so that "hates" and "hated" count as one."""

from functools import lru_cache

from rl_faith.text import fold

_PARTS = ("NOUN", "VERB", "ADJ", "ADV", "AUX")


@lru_cache(maxsize=100_000)
def lemma(word: str) -> str:
    """The word's lemma; the word itself where it is a lemma of some part of speech."""
    from lemminflect import getAllLemmas  # noqa: PLC0415 - imports spaCy where there is one

    key = fold(word)
    known = getAllLemmas(key)
    if any(key in lemmas for lemmas in known.values()):
        return key
    return next((known[part][0] for part in _PARTS if part in known), key)
