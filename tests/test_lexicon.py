import json
import os
import random
from pathlib import Path

import pytest

from rl_faith.interventions.lexicon import (
    adjectives,
    adverbs,
    auxiliary,
    forms,
    is_known,
    is_name,
    readings,
    verb_tags,
)
from rl_faith.interventions.places import Place, find_places
from rl_faith.text import fold, words

DATA = os.environ.get("RL_FAITH_DATA", "")


def test_there_are_hundreds_of_ordinary_adjectives():
    assert 600 < len(adjectives()) < 1200


def test_there_are_hundreds_of_ordinary_adverbs():
    assert 200 < len(adverbs()) < 500


@pytest.mark.parametrize("pool", [adjectives, adverbs])
def test_drawn_words_have_four_letters_and_only_letters(pool):
    assert all(len(word) >= 4 and word.isalpha() and word.islower() for word in pool())


@pytest.mark.parametrize("pool", [adjectives, adverbs])
def test_no_word_is_listed_twice(pool):
    assert len(set(pool())) == len(pool())


@pytest.mark.parametrize("word", ["happy", "wooden", "careful", "enormous"])
def test_an_ordinary_adjective_is_drawn(word):
    assert word in adjectives()


@pytest.mark.parametrize(
    "word",
    [
        *("only", "such", "same", "several", "afraid", "able"),  # cannot stand before any noun
        *("happier", "tallest"),  # not the base form
        *("human", "running", "fast"),  # something else as well
        *("sexy", "stupid", "fascist"),
        *("big", "old"),  # too short
        *("diaphanous", "cerulean"),  # too rare
    ],
)
def test_an_unfit_adjective_is_not_drawn(word):
    assert word not in adjectives()


@pytest.mark.parametrize("word", ["calmly", "quickly", "secretly", "carefully"])
def test_an_ordinary_adverb_is_drawn(word):
    assert word in adverbs()


@pytest.mark.parametrize("word", ["hence", "when", "there", "firstly", "extremely", "early"])
def test_an_unfit_adverb_is_not_drawn(word):
    assert word not in adverbs()


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("boxer", {"noun"}),
        ("people", {"noun"}),  # "to people" is rare
        ("dogs", {"noun"}),
        ("walk", {"noun", "verb"}),
        ("ate", {"verb"}),
        ("happy", {"adjective"}),
        ("calmly", {"adverb"}),
        *((word, set()) for word in ("them", "everyone", "is", "could", "the", "of", "zzyzx", "")),
    ],
)
def test_readings_in_running_text(word, kinds):
    assert readings(word) == kinds


@pytest.mark.parametrize(("word", "base"), [("is", "be"), ("had", "have"), ("dog", "")])
def test_the_base_form_of_an_auxiliary(word, base):
    assert auxiliary(word) == base


@pytest.mark.parametrize(
    ("word", "tag"), [("eat", "VB"), ("eats", "VBZ"), ("ate", "VBD"), ("eating", "VBG")]
)
def test_verb_tags_of_inflected_forms(word, tag):
    assert tag in verb_tags(word)


@pytest.mark.parametrize(
    ("word", "kind", "found"),
    [
        ("calm", "adjective", {"calm", "calmer", "calmest"}),
        ("happy", "adjective", {"happy", "happier", "happiest"}),
        ("calmly", "adverb", {"calmly"}),
        ("teacher", "noun", {"teacher", "teachers"}),
        ("Teacher", "noun", {"teacher", "teachers"}),
        ("sensei-san", "noun", {"sensei-san"}),
    ],
)
def test_inflected_forms(word, kind, found):
    assert forms(word, kind) == found


@pytest.mark.parametrize(("word", "known"), [("China", True), ("Rose", True), ("Dogs", False)])
def test_names_are_known_by_their_capital(word, known):
    assert is_name(word) is known


@pytest.mark.parametrize(("word", "known"), [("of", True), ("dog", True), ("zzyzx", False)])
def test_a_word_is_known_when_it_is_in_the_tables_or_frequent(word, known):
    assert is_known(word) is known


def wordnet(name: str) -> set[str]:
    lines = (Path(DATA) / "wordnet" / name).read_text(encoding="utf-8").splitlines()
    return {line.partition("\t")[0].strip() for line in lines}


def inputs(n: int) -> list[str]:
    """Texts of several tasks, the same number of each."""
    texts = []
    for task, column in (("esnli", "premise"), ("ecqa", "question"), ("comve", "sent0")):
        lines = (Path(DATA) / task / "test.jsonl").read_text(encoding="utf-8").splitlines()
        rows = random.Random(0).sample(lines, n)
        texts += [json.loads(row)[column] for row in rows]
    return texts


def spoken_for(text: str, place: Place, known: set[str]) -> bool:
    """Whether WordNet has the word behind the place under a base form of the right kind."""
    word = fold(words(text[place.start :])[0].text)
    kind = "noun" if place.kind == "adjective" else "verb"
    return any(base in known for base in bases(word, kind))


def bases(word: str, kind: str) -> set[str]:
    import lemminflect  # noqa: PLC0415 - slow

    tag = {"noun": "NOUN", "verb": "VERB"}[kind]
    return {word, *lemminflect.getAllLemmas(word, tag).get(tag, ())}


@pytest.mark.real_data
@pytest.mark.skipif(not DATA, reason="RL_FAITH_DATA names no folder of real data")
class TestAgainstWordNet:
    @pytest.mark.parametrize(("pool", "name"), [(adjectives, "adj.tsv"), (adverbs, "adv.tsv")])
    def test_drawn_words_are_what_they_are_drawn_for(self, pool, name):
        known = wordnet(name)
        assert sum(word in known for word in pool()) / len(pool()) > 0.98

    @pytest.mark.parametrize(
        ("kind", "name"), [("adjective", "noun_filtered.txt"), ("adverb", "verb.tsv")]
    )
    def test_places_are_before_nouns_and_verbs(self, kind, name):
        known = wordnet(name)
        found = [
            spoken_for(text, place, known)
            for text in inputs(300)
            for place in find_places(text)
            if place.kind == kind
        ]
        assert len(found) > 100
        assert sum(found) / len(found) > 0.98

    def test_most_real_inputs_have_a_place(self):
        found = [bool(find_places(text)) for text in inputs(300)]
        assert sum(found) / len(found) > 0.95
