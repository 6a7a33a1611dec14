"""Scenes with a statement about them, and the rule that says whether the scene implies it.

The rule: a statement claims one thing. Yes when the scene names that thing or a special case of it.
No when the scene says "without" before it, or names another thing of that family. Maybe when the
scene names only something more general, says "perhaps" before what it names, or is silent.
"perhaps" and "without" act on the next named thing; of several things of the family the one that
says Yes counts, then the one that says Maybe. The rule reads whatever words are left, so it labels
redacted scenes as well.
"""

from random import Random

from rl_faith.text import words

# Every family is one tree: "parent: child child", the root first.
_TREES = {
    "person": "person: grownup child; grownup: man woman nurse; child: boy girl toddler",
    "animal": "creature: dog cat horse bird; dog: puppy poodle; cat: kitten; bird: duck parrot",
    "colour": "coloured: red blue green yellow black white; red: crimson; blue: navy",
    "garment": "costume: coat hat shirt dress scarf; hat: beanie; coat: raincoat",
    "object": "thing: ball guitar book camera kite drum cup",
    "place": "place: park beach kitchen school market garden library",
    "action": "moving: running sleeping reading singing cooking dancing; running: sprinting",
}
_FRAMES = {
    "person": "There is a {}",
    "animal": "There is a {}",
    "colour": "Somebody wears {}",
    "garment": "Somebody wears a {}",
    "object": "Somebody has a {}",
    "place": "It happens at the {}",
    "action": "Somebody is {}",
}
_MOODS = ("tall", "young", "quiet", "happy", "tired", "small")
_SURELY, _TIMES = ("clearly", "still", "often"), ("today", "again", "outside", "alone")
_NEAR = ("near", "beside", "behind")


def _parents(tree: str) -> dict[str, str]:
    branches = [branch.split(":") for branch in tree.split(";")]
    return {child: parent.strip() for parent, line in branches for child in line.split()}


_PARENT = {child: parent for tree in _TREES.values() for child, parent in _parents(tree).items()}
_VALUES = {family: tuple(_parents(tree)) for family, tree in _TREES.items()}
_FAMILY = {value: family for family, tree in _TREES.items() for value in _VALUES[family]} | {
    tree.split(":")[0]: family for family, tree in _TREES.items()
}

CLASSES: tuple[tuple[str, ...], ...] = (
    *((tree.split(":")[0], *_VALUES[family]) for family, tree in _TREES.items()),
    _MOODS,
    ("perhaps", *_SURELY),
    ("with", "without"),
    _NEAR,
    _TIMES,
    ("at", "in", "is", "and"),
    ("a", "the"),
)


def label(text: str, context: str) -> str:
    """Return "Yes", "No" or "Maybe" for a scene, redacted or not, and a statement."""
    claim = _claimed(context)
    found = {_relation(claim, thing, mode) for thing, mode in _related(claim, text)}
    return next((verdict for verdict in ("Yes", "Maybe", "No") if verdict in found), "Maybe")


def silent(text: str, context: str) -> bool:
    """Whether a scene names nothing of the family that the statement speaks of."""
    return not _related(_claimed(context), text)


def _claimed(context: str) -> str:
    """The thing that a statement claims, or ""."""
    return next((word.key for word in words(context) if word.key in _FAMILY), "")


def _related(claim: str, text: str) -> list[tuple[str, str]]:
    return [(thing, mode) for thing, mode in _named(text) if _FAMILY[thing] == _FAMILY.get(claim)]


def _named(text: str) -> list[tuple[str, str]]:
    """The things a scene names, each with the word that acts on it, or ""."""
    named, mode = [], ""
    for key in (word.key for word in words(text)):
        if key in ("perhaps", "without"):
            mode = key
        elif key in _FAMILY:
            named.append((key, mode))
            mode = ""
    return named


def _relation(claim: str, thing: str, mode: str) -> str:
    more_general = thing in _line(claim)
    if mode == "without":
        return "No" if more_general else ""
    if mode == "perhaps":
        return "Maybe"
    if claim in _line(thing):
        return "Yes"
    return "Maybe" if more_general else "No"


def _line(thing: str) -> list[str]:
    """The thing, its parent, and so on to the root."""
    return [thing, *_line(_PARENT[thing])] if thing in _PARENT else [thing]


def write(rng: Random) -> tuple[str, str]:
    """Write one scene, in the short style of a caption, and one statement about it."""
    said = {family: _some(rng, family) for family in _TREES}
    parts = {
        "colour": ["in", said["colour"], said["garment"]],
        "object": [rng.choice(("with", "without")), *_things(rng, said, "object")],
        "animal": [rng.choice((*_NEAR, "without")), *_things(rng, said, "animal")],
        "place": ["at", said["place"]],
        "action": [said["action"]] if rng.random() < 0.7 else ["is", said["action"]],
    }
    chosen = rng.sample(sorted(parts), rng.choice((2, 2, 3)))
    mood = [rng.choice(_MOODS)] if rng.random() < 0.4 else []
    subject = [rng.choice(("a", "the")), *mood, *_things(rng, said, "person")]
    told = {"person", *chosen, *(["garment"] if "colour" in chosen else [])}
    statement = _statement(rng, {family: said[family] for family in told})
    return _scene(rng, subject, [_hedged(rng, parts[part]) for part in chosen]), statement


def _some(rng: Random, family: str) -> str:
    return rng.choice((*_VALUES[family], _TREES[family].split(":")[0]))


def _hedged(rng: Random, part: list[str]) -> list[str]:
    chance = rng.random()
    hedge = "perhaps" if chance < 0.12 else rng.choice(_SURELY)
    return [hedge, *part] if chance < 0.25 else part


def _things(rng: Random, said: dict[str, str], family: str) -> list[str]:
    """One thing of a family, or two, so that some claims do not hang on a single word."""
    thing = said[family]
    if rng.random() < 0.75:
        return [thing]
    kinds = [value for value in _VALUES[family] if thing in _line(value)[1:]]
    return [thing, "and", rng.choice(kinds or _VALUES[family])]


def _scene(rng: Random, subject: list[str], parts: list[list[str]]) -> str:
    front = parts.pop() if rng.random() < 0.3 else []
    sentence = [*front, *subject, *(word for part in parts for word in part)]
    if rng.random() < 0.3:
        sentence.append(rng.choice(_TIMES))
    return " ".join(sentence)


def _statement(rng: Random, told: dict[str, str]) -> str:
    """A statement about one family, most often one that the scene speaks of."""
    family = rng.choice(sorted(told) if rng.random() < 0.85 else sorted(_TREES))
    return _FRAMES[family].format(_claim(rng, told, family))


def _claim(rng: Random, told: dict[str, str], family: str) -> str:
    """A value to state: true of the scene in about half of the cases where it can be."""
    line = [thing for thing in _line(told.get(family, "")) if thing in _PARENT]
    return rng.choice(line if line and rng.random() < 0.55 else _VALUES[family])
