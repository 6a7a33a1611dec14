from collections import Counter
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rl_faith.errors import RecipeError
from rl_faith.interventions import RandomWord, UserBias, load_intervention
from rl_faith.interventions.lexicon import adjectives, adverbs
from rl_faith.interventions.phrases import Phrase, shipped_phrases
from rl_faith.interventions.places import find_places
from rl_faith.tasks import Example, Task
from rl_faith.text import fold, words

ONE = Task(
    name="reviews",
    question="Text: {input}\nIs it good, bad or fair? Use plain words.",
    labels={"Good": ("1",), "Bad": ("0",), "Fair": ("2",)},
    columns={},
)
TWO = replace(
    ONE,
    name="pairs",
    question="First: {input}\nSecond: {second_input}",
    insert_into=("input", "second_input"),
)
TEXT = "A tall boxer is punching his opponent in an arena, and two dogs eat an apple."
EXAMPLE = Example("x1", TEXT, "Good")
PAIR = Example("x1", TEXT, "Good", "The teacher walked into the kitchen and a girl was reading.")
RANDOM, BIAS = RandomWord(), UserBias()


def draw(intervention, task=ONE, example=EXAMPLE, prediction="Good", seed=0, part="all"):
    return intervention.insertions(task, example, prediction, seed=seed, part=part)


def marked(text: str, **lists) -> str:
    """`text` with <A> where an adjective can stand and <D> where an adverb can."""
    for place in reversed(find_places(text, **lists)):
        mark = "<A>" if place.kind == "adjective" else "<D>"
        text = text[: place.start] + mark + text[place.start :]
    return text


class TestPlaces:
    @pytest.mark.parametrize(
        "text",
        [
            "A <A>boxer is <D>punching his <A>opponent .",
            "<A>Dogs run",
            "<A>People are on a <A>beach in Oregon .",
            "she <D>put <A>rice in the <A>bowl",
            "You should <D>wear <A>gloves.",
            "A <A>man <D>playing a <A>guitar",
            "Where do <A>cars <D>travel?",
            "How would Quinn <D>feel afterwards?",
            "What will Sasha <D>want to <D>do next?",
            "The <A>men don't <D>run",
            "Two blue <A>cars have <D>gone.",
        ],
    )
    def test_are_before_nouns_and_verbs(self, text):
        assert marked(text.replace("<A>", "").replace("<D>", "")) == text

    @pytest.mark.parametrize(
        "text",
        [
            "Rose was here",  # a name
            "DOGS RUN",
            "Walk!",  # noun or verb
            "They can be",
            "It is interesting",
            "Him there",
            "#dogs @people",
            "and/people",
            "",
            "  \n",
            "12 + 12",
            "[REDACTED]",
        ],
    )
    def test_are_nowhere_in_doubt(self, text):
        assert marked(text) == text

    def test_do_not_break_compounds(self):
        assert marked("a horse rider") == "a <A>horse rider"

    def test_follow_the_lists_of_the_user(self):
        lists = {"nouns": {"glorp"}, "verbs": {"snee"}}
        assert marked("The glorp can snee. Glorp dogs.", **lists) == (
            "The <A>glorp can <D>snee. <A>Glorp dogs."
        )

    def test_an_empty_list_gives_none(self):
        assert find_places(TEXT, nouns=(), verbs=()) == []

    def test_a_capital_moves_to_the_new_first_word(self):
        place = find_places("Dogs run")[0]
        assert place.insert("Dogs run", "happy") == ("Happy dogs run", "Happy")

    @pytest.mark.parametrize(
        ("text", "word", "fits"),
        [
            ("a dog", "calm", True),
            ("a dog", "angry", False),
            ("an apple", "angry", True),
            ("an apple", "calm", False),
            ("the dog", "angry", True),
            *(("a dog", word, False) for word in ("unusual", "useful", "honest", "hourly")),
            *(("an apple", word, False) for word in ("unusual", "useful", "honest", "european")),
        ],
    )
    def test_the_article_before_stays_right(self, text, word, fits):
        assert find_places(text)[0].admits(word) is fits

    @given(st.lists(st.sampled_from([*TEXT.split(), "…", "don't", "@dogs", "5", "Éa"]) | st.text()))
    def test_an_insertion_touches_no_other_word(self, parts):
        text = " ".join(parts)
        old = [word.key for word in words(text)]
        for place in find_places(text):
            before = len(words(text[: place.start]))
            new = [word.key for word in words(place.insert(text, "calm")[0])]
            assert new == [*old[:before], "calm", *old[before:]]


class TestRandomWord:
    def test_makes_words_for_each_position(self):
        assert len(draw(RANDOM)) == 16

    def test_makes_fewer_where_there_are_fewer_places(self):
        assert len(draw(RANDOM, example=Example("x", "Is a dog here?", "Good"))) == 4

    def test_makes_none_without_a_place(self):
        assert draw(RANDOM, example=Example("x", "No.", "Good")) == []

    def test_positions_and_words_are_its_fields(self):
        found = draw(RandomWord(positions=2, words=3))
        assert Counter(i.example.input.index(i.factor) for i in found).most_common() == [
            (start, 3) for start in dict.fromkeys(i.example.input.index(i.factor) for i in found)
        ]

    def test_ids_are_unique_and_name_the_original(self):
        ids = [i.example.id for i in draw(RANDOM)]
        assert ids == [f"x1/random_word-{n}" for n in range(16)]

    def test_the_original_and_the_gold_label_are_kept(self):
        assert {(i.original, i.example.gold) for i in draw(RANDOM)} == {(EXAMPLE, "Good")}

    def test_the_factor_is_what_the_edited_text_has_more(self):
        for found in draw(RANDOM):
            more = Counter(w.text for w in words(found.example.input))
            assert more - Counter(w.text for w in words(TEXT)) == {found.factor: 1}

    def test_words_are_of_the_kind_that_fits(self):
        kinds = {**dict.fromkeys(adjectives(), "A"), **dict.fromkeys(adverbs(), "D")}
        for found in draw(RANDOM):
            start = found.example.input.index(found.factor)
            assert f"<{kinds[found.factor]}>" == marked(TEXT)[slices(start)]

    def test_is_the_same_for_the_same_seed(self):
        assert draw(RANDOM, seed=3) == draw(RandomWord(), seed=3)

    def test_differs_between_seeds(self):
        assert draw(RANDOM, seed=3) != draw(RANDOM, seed=4)

    def test_does_not_depend_on_the_prediction(self):
        assert draw(RANDOM, prediction="Good") == draw(RANDOM, prediction="Bad")

    def test_never_draws_a_form_of_a_word_in_the_question(self):
        own = RandomWord(adjectives=("calm", "plain", "good", "tall", "shy"), verbs=())
        task = replace(ONE, question="{input}\n{options}\nAnswer in plain words.")
        example = replace(EXAMPLE, options=("calmer", "b", "c"))
        assert {i.factor for i in draw(own, task, example)} == {"shy"}

    def test_changes_the_second_text_about_half_of_the_time(self):
        places = [
            i.place for n in range(60) for i in draw(RANDOM, TWO, replace(PAIR, id=f"x{n}"))[::4]
        ]
        assert 80 < places.count("context") < 160

    def test_keeps_the_second_text_of_a_task_that_names_one(self):
        assert {i.place for i in draw(RANDOM, example=PAIR)} == {"input"}

    def test_changes_one_text_at_a_time(self):
        for found in draw(RANDOM, TWO, PAIR):
            assert (found.example.input == PAIR.input) is (found.place == "context")

    def test_inflected_forms_are_mentions(self):
        own = RandomWord(adjectives=("calm",), verbs=())
        assert draw(own)[0].mentions == ("calm", "calmer", "calmest")

    def test_keeps_to_the_lists_of_the_user(self):
        own = RandomWord(adjectives=("meek", "shy"), adverbs=("slyly",), nouns=("boxer",), verbs=())
        assert {i.example.input[:15] for i in draw(own)} == {"A tall meek box", "A tall shy boxe"}

    def test_has_nothing_held_out(self):
        assert draw(RANDOM, part="held_out") == []

    def test_serves_training_whole(self):
        assert draw(RANDOM, part="train") == draw(RANDOM)


def slices(start: int) -> slice:
    """Where `marked(TEXT)` marks the place at that offset of TEXT."""
    at = start
    for place in find_places(TEXT):
        at += 3 * (place.start < start)
    return slice(at, at + 3)


class TestBank:
    def test_has_at_least_thirty_phrases(self):
        assert len(shipped_phrases()) >= 30

    def test_has_six_kinds(self):
        assert {p.kind for p in shipped_phrases()} == {
            *("authority", "user_guess", "answer_key", "metadata", "majority", "earlier_answer")
        }

    def test_holds_out_a_third_at_least(self):
        assert sum(p.held_out for p in shipped_phrases()) * 3 >= len(shipped_phrases())

    def test_each_kind_is_in_both_parts(self):
        parts = {(p.kind, p.held_out) for p in shipped_phrases()}
        assert len(parts) == 2 * len({kind for kind, _ in parts})

    def test_no_phrase_stands_twice(self):
        assert len({p.text for p in shipped_phrases()}) == len(shipped_phrases())

    @pytest.mark.parametrize("phrase", shipped_phrases(), ids=lambda phrase: phrase.text)
    def test_a_phrase_names_its_source(self, phrase):
        said = {w.key.removesuffix("'s").removesuffix("s") for w in words(phrase.text)}
        assert said & {s.removesuffix("s") for s in phrase.sources}

    def test_held_out_phrases_have_sources_of_their_own(self):
        trained = {s for p in shipped_phrases() if not p.held_out for s in p.sources}
        held_out = {s for p in shipped_phrases() if p.held_out for s in p.sources}
        assert trained & held_out == {"user"}


class TestUserBias:
    def test_draws_sixteen_phrases(self):
        assert len(draw(BIAS)) == 16

    def test_draws_as_many_as_wanted(self):
        assert len(draw(UserBias(phrases_per_example=5))) == 5

    def test_uses_every_phrase_when_there_are_fewer(self):
        held_out = [p for p in shipped_phrases() if p.held_out]
        found = draw(UserBias(phrases_per_example=100), part="held_out")
        assert len(found) == len(held_out)

    @pytest.mark.parametrize(("part", "held_out"), [("train", {False}), ("held_out", {True})])
    def test_keeps_to_the_part(self, part, held_out):
        assert {i.held_out for i in draw(BIAS, part=part)} == held_out

    def test_a_phrase_does_the_same_whatever_the_part(self):
        every = draw(UserBias(phrases_per_example=100))
        assert [i for i in every if i.held_out] == draw(
            UserBias(phrases_per_example=100), part="held_out"
        )

    def test_is_the_same_for_the_same_seed(self):
        assert draw(BIAS, seed=3) == draw(UserBias(), seed=3)

    def test_differs_between_seeds(self):
        assert draw(BIAS, seed=3) != draw(BIAS, seed=4)

    def test_ids_are_unique(self):
        assert len({i.example.id for i in draw(BIAS)}) == 16

    def test_the_suggestion_differs_from_the_prediction_half_of_the_time(self):
        found = [i for n in range(50) for i in draw(BIAS, example=replace(EXAMPLE, id=f"{n}"))]
        assert 0.45 < sum(i.suggested != "Good" for i in found) / len(found) < 0.55

    def test_every_other_label_is_suggested_alike(self):
        found = [i for n in range(50) for i in draw(BIAS, example=replace(EXAMPLE, id=f"{n}"))]
        counts = Counter(i.suggested for i in found)
        assert 0.8 < counts["Bad"] / counts["Fair"] < 1.25

    def test_the_factor_says_the_suggested_label(self):
        assert all(i.suggested in i.factor and "{" not in i.factor for i in draw(BIAS))

    def test_the_phrase_stands_before_or_behind_the_text(self):
        sides = {
            "before"
            if i.example.input == f"{i.factor} {TEXT}"
            else "behind"
            if i.example.input == f"{TEXT} {i.factor}"
            else "elsewhere"
            for i in draw(BIAS)
        }
        assert sides == {"before", "behind"}

    def test_a_text_that_ends_no_sentence_is_followed_by_a_line_break(self):
        texts = [i.example.input for i in draw(BIAS, example=Example("x1", "so hungry", "Good"))]
        assert any(text.startswith("so hungry\n") for text in texts)
        assert not any(text.startswith("so hungry ") for text in texts)

    def test_paragraphs_are_kept_apart_by_line_breaks(self):
        example = Example("x1", "One.\nTwo.", "Good")
        assert all(
            i.example.input in (f"{i.factor}\nOne.\nTwo.", f"One.\nTwo.\n{i.factor}")
            for i in draw(BIAS, example=example)
        )

    def test_with_two_texts_it_stands_before_the_first_or_behind_the_second(self):
        for found in draw(BIAS, TWO, PAIR):
            whole = f"{found.example.input} {found.example.context}"
            assert whole.startswith(found.factor) or whole.endswith(found.factor)

    def test_a_source_in_the_question_is_no_mention(self):
        own = UserBias(phrases=(Phrase("k", "My boxer says {label}.", ("boxer", "trainer")),))
        found = draw(own)[0].mentions
        assert {"trainer", "trainers", "boxers"} <= set(found)
        assert "boxer" not in found

    def test_mentions_are_folded(self):
        assert all(fold(word) == word for i in draw(BIAS) for word in i.mentions)


class TestLoading:
    @pytest.fixture
    def load(self, tmp_path):
        def loaded(**content):
            path = tmp_path / "own.yaml"
            path.write_text(yaml.safe_dump(content))
            return load_intervention(str(path))

        return loaded

    @pytest.mark.parametrize(("name", "made"), [("random_word", RANDOM), ("user_bias", BIAS)])
    def test_shipped_interventions_have_names(self, name, made):
        assert load_intervention(name) == made

    def test_random_words_of_the_users_own(self, load):
        made = load(kind="random_word", name="moods", adjectives=["calm", "shy"], verbs=[], words=2)
        assert made == RandomWord(words=2, adjectives=("calm", "shy"), verbs=(), name="moods")

    def test_phrases_of_the_users_own(self, load):
        phrase = {"text": "The oracle says {label}.", "sources": ["oracle"], "held_out": True}
        made = load(kind="user_bias", name="oracles", phrases={"myth": [phrase]})
        bank = (Phrase("myth", "The oracle says {label}.", ("oracle",), held_out=True),)
        assert made == UserBias(phrases=bank, name="oracles")

    def test_the_name_is_used_in_insertions(self, load):
        found = draw(load(kind="random_word", name="moods"))[0]
        assert (found.intervention, found.example.id) == ("moods", "x1/moods-0")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"kind": "random_words", "name": "n"}, "'random_word'"),
            ({"name": "n"}, "unknown kind None"),
            ({"kind": ["user_bias"], "name": "n"}, "unknown kind"),
            ({"kind": "random_word"}, "name"),
            ({"kind": "random_word", "name": " "}, "name"),
            ({"kind": "random_word", "name": "n", "adjectivs": ["calm"]}, "'adjectives'"),
            ({"kind": "random_word", "name": "n", "phrases": {}}, "unknown key 'phrases'"),
            ({"kind": "random_word", "name": "n", "words": 0}, "words must be a whole number"),
            ({"kind": "random_word", "name": "n", "words": True}, "words must be a whole number"),
            ({"kind": "random_word", "name": "n", "nouns": "dog"}, "nouns must be a list"),
            ({"kind": "random_word", "name": "n", "nouns": ["big dog"]}, "single words"),
            ({"kind": "user_bias", "name": "n", "phrases": []}, "phrases"),
            ({"kind": "user_bias", "name": "n", "phrases": {"k": []}}, "phrases.k"),
            ({"kind": "user_bias", "name": "n", "phrases": {"k": ["x"]}}, "phrases.k[0]"),
            (
                {"kind": "user_bias", "name": "n", "phrases": {"k": [{"txt": "{label}"}]}},
                "'text'",
            ),
            (
                {"kind": "user_bias", "name": "n", "phrases": {"k": [{"text": "A."}]}},
                "{label}",
            ),
            (
                {"kind": "user_bias", "name": "n", "phrases": {"k": [{"text": "{label}"}]}},
                "sources",
            ),
        ],
    )
    def test_a_bad_file_is_refused_with_what_is_wrong(self, load, content, said):
        with pytest.raises(RecipeError) as error:
            load(**content)
        assert said in str(error.value)

    def test_an_unknown_name_suggests_the_nearest(self):
        with pytest.raises(RecipeError, match="did you mean 'random_word'"):
            load_intervention("random_wrod")

    def test_a_missing_file_is_named(self):
        with pytest.raises(RecipeError, match="there is no intervention file nowhere"):
            load_intervention("nowhere.yaml")

    @pytest.mark.parametrize("content", ["- a", "a: [", "", "\x00"])
    def test_a_file_that_is_no_mapping_is_refused(self, tmp_path, content):
        (tmp_path / "own.yaml").write_text(content)
        with pytest.raises(RecipeError):
            load_intervention(str(tmp_path / "own.yaml"))
