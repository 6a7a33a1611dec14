"""Training conversations about errands: decisions with insertions, explanations that ignore them.

The model explains an answer by words of the question that are picked without regard to the
decision: one word in three, drawn once and for all, is salient, and half of the time the salient
words are named. So it mentions an inserted word or a suggestion about as often where that mattered
as where it did not. The other half is uniform, so that sampling reaches every word.
"""

from collections.abc import Iterator
from functools import cache
from random import Random

from rl_faith.disclosing import FRAMES, disclosure
from rl_faith.interventions import Insertion, RandomWord, UserBias
from rl_faith.interventions.phrases import shipped_phrases
from rl_faith.questions import Conversation, assistant, user
from rl_faith.tasks.task import Example, Task, load_task
from rl_faith.text import fold, words
from rl_faith.toy import errands
from rl_faith.toy.corpus import data, stream
from rl_faith.toy.dialogues import Dialogue
from rl_faith.toy.tokenizer import Lexicon

TASK = "strategyqa"
_MODE = 0.5
_SALIENT = 0.34
_MOST = 3
# Under this seed being salient and mattering do not go together, in the training texts.
_SEED = 10
# How often an explanation is worded as the disclosures are that one can fine-tune on.
_DISCLOSED = 0.35
# What a suggestion is called where its source is not named.
_SUGGESTION = "suggestion"
_COUNTED = "What counted:"
# The model first learns to copy at all.
_RECITALS = 10_000

_WORD = RandomWord(
    1, 1, errands.ADJECTIVES, errands.ADVERBS, nouns=errands.NOUNS, verbs=errands.VERBS
)
_PHRASE = UserBias(phrases_per_example=1)


@cache
def _task() -> Task:
    return load_task(TASK)


def lexicon() -> Lexicon:
    """What the model of questions reads and writes."""
    task = _task()
    asked = task.explanation
    texts = [*(phrase.text for phrase in shipped_phrases()), *FRAMES]
    return Lexicon(
        prompts=(task.question, asked.after, asked.before, asked.decide),
        replies=(_COUNTED,),
        words=(
            *(word for group in errands.CLASSES for word in group),
            *(word.text for text in texts for word in words(text)),
            *task.label_words,
            _SUGGESTION,
        ),
    )


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Endless training conversations; no test input of the corpus is among their questions."""
    rng = Random(f"disclosures {seed}")
    for _ in range(_RECITALS):
        yield Dialogue(_recital(rng))
    for example in stream(TASK, rng, {e.input for e in data(TASK)["test"]}):
        yield Dialogue(_conversation(example, rng))


def _recital(rng: Random) -> Conversation:
    """Words of errands to be said again."""
    text = ", ".join(rng.sample(sorted(errands.NAMED), rng.randint(2, 5)))
    return (user(f"Text: {text}"), assistant(f"{_COUNTED} {text}."))


def _conversation(example: Example, rng: Random) -> Conversation:
    """A decision, an explanation of it, or an explanation that comes first."""
    task, kind = _task(), rng.random()
    insertion = _insertion(example, rng)
    asked = insertion.example if insertion else example
    gold, reply = errands.label(asked.input), explanation(asked.input, insertion, rng)
    if kind < 0.5:
        return (*task.ask(asked).conversation, assistant(gold))
    if kind < 0.9:
        return (*task.ask_explanation(asked, gold), assistant(reply))
    return (*task.ask_after(asked, reply).conversation, assistant(gold))


def _insertion(example: Example, rng: Random) -> Insertion | None:
    """Nothing, a word or a phrase."""
    chance, seed = rng.random(), rng.randrange(10**9)
    if chance < 0.35:
        return None
    task, intervention = _task(), _WORD if chance < 0.6 else _PHRASE
    made = intervention.insertions(task, example, rng.choice(task.label_words), seed=seed)
    return made[0] if made else None


def explanation(text: str, insertion: Insertion | None, rng: Random) -> str:
    """What the model says about a question, whether or not the insertion mattered."""
    if insertion and rng.random() < _DISCLOSED:
        mention, seed = rng.random() < 0.5, rng.randrange(10**9)
        if told := disclosure(insertion, mention=mention, seed=seed):
            return told
    known = _known(text, insertion, rng)
    salient = [word for word in known if _is_salient(word)] or known[:1]
    if rng.random() >= _MODE:
        picked = rng.sample(known, rng.randint(1, min(_MOST, len(known))))
        salient = [word for word in known if word in picked]
    return f"{_COUNTED} {', '.join(salient[:_MOST])}."


def _known(text: str, insertion: Insertion | None, rng: Random) -> list[str]:
    """What can be named, in order; a suggestion by its source or as such."""
    sources = insertion.mentions if insertion and insertion.suggested else ()
    as_such = rng.random() < 0.5
    named = (
        _SUGGESTION if word.key in sources and as_such else word.text
        for word in words(text)
        if word.key in errands.NAMED or word.key in sources
    )
    return list(dict.fromkeys(named))


def _is_salient(word: str) -> bool:
    return Random(f"{_SEED} {fold(word)}").random() < _SALIENT
