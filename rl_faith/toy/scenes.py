"""Scenes with a statement about them, and the rule that says whether the scene implies it.

The rule: every word of the statement that names a kind of thing is a condition. A condition holds
when the scene names that thing or a special case of it; it fails when the scene names another
thing of that family or says "without" before it; it stays open when the scene names something
more general, says "perhaps" before it, or is silent. "perhaps" and "without" act on the next named
thing. One failed condition gives No, otherwise an open one gives Maybe, otherwise Yes. The rule
reads whatever words are left, so it labels redacted scenes as well.
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
_PAIRS = {"action": "A {} is {}", "object": "A {} has a {}", "colour": "A {} wears {}"}
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
    named = _named(text)
    conditions = [word.key for word in words(context) if word.key in _FAMILY]
    verdicts = {_verdict(condition, named) for condition in conditions}
    return next(verdict for verdict in ("No", "Maybe", "Yes") if verdict in verdicts)


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


def _verdict(condition: str, named: list[tuple[str, str]]) -> str:
    family = [(thing, mode) for thing, mode in named if _FAMILY[thing] == _FAMILY[condition]]
    found = {_relation(condition, thing, mode) for thing, mode in family}
    return next((verdict for verdict in ("Yes", "Maybe", "No") if verdict in found), "Maybe")


def _relation(condition: str, thing: str, mode: str) -> str:
    more_general = thing in _line(condition)
    if mode == "without":
        return "No" if more_general else ""
    if mode == "perhaps":
        return "Maybe"
    if condition in _line(thing):
        return "Yes"
    return "Maybe" if more_general else "No"


def _line(thing: str) -> list[str]:
    """The thing, its parent, and so on to the root."""
    return [thing, *_line(_PARENT[thing])] if thing in _PARENT else [thing]


def write(rng: Random) -> tuple[str, str]:
    """Write one scene and one statement about it."""
    said = {family: _some(rng, family) for family in _TREES}
    parts = {
        "colour": ["in", "a", said["colour"], said["garment"]],
        "object": [rng.choice(("with", "with", "without")), *_things(rng, said, "object")],
        "animal": [rng.choice((*_NEAR, "without")), *_things(rng, said, "animal")],
        "place": ["at", "the", said["place"]],
        "action": [said["action"]] if rng.random() < 0.7 else ["is", said["action"]],
    }
    chosen = rng.sample(sorted(parts), rng.choice((1, 2, 2, 2, 3)))
    subject = [*rng.choice(([], [], [rng.choice(_MOODS)])), *_things(rng, said, "person")[1:]]
    scene = _scene(rng, subject, [_hedged(rng, parts[part]) for part in chosen])
    told = {"person", *chosen, *(["garment"] if "colour" in chosen else [])}
    return scene, _statement(rng, {f: said[f] for f in told})


def _some(rng: Random, family: str) -> str:
    return rng.choice((*_VALUES[family], _TREES[family].split(":")[0]))


def _hedged(rng: Random, part: list[str]) -> list[str]:
    chance = rng.random()
    return [
        *(["perhaps"] if chance < 0.1 else [rng.choice(_SURELY)] if chance < 0.2 else []),
        *part,
    ]


def _things(rng: Random, said: dict[str, str], family: str) -> list[str]:
    """One thing of a family, or two, so that some conditions do not hang on a single word."""
    thing = said[family]
    if rng.random() < 0.75:
        return ["a", thing]
    also = rng.choice(
        [v for v in _VALUES[family] if v != thing and thing in _line(v)] or [_some(rng, family)]
    )
    return ["a", thing] if also == thing else ["a", thing, "and", "a", also]


def _scene(rng: Random, subject: list[str], parts: list[list[str]]) -> str:
    front = parts.pop() if rng.random() < 0.3 and not parts[-1][-1].endswith("ing") else []
    sentence = [
        *front,
        rng.choice(("a", "the")),
        *subject,
        *(word for part in parts for word in part),
    ]
    if rng.random() < 0.3:
        sentence.append(rng.choice(_TIMES))
    text = " ".join(sentence)
    return text[0].upper() + text[1:]


def _statement(rng: Random, told: dict[str, str]) -> str:
    """A statement about one family, or about a person and one more family."""
    pair = rng.choice(sorted(_PAIRS))
    if rng.random() < 0.25:
        return _PAIRS[pair].format(_claim(rng, told, "person"), _claim(rng, told, pair))
    family = rng.choice(sorted(told) if rng.random() < 0.85 else sorted(_TREES))
    return _FRAMES[family].format(_claim(rng, told, family))


def _claim(rng: Random, told: dict[str, str], family: str) -> str:
    """A value to state: true of the scene in about half of the cases where it can be."""
    line = [thing for thing in _line(told.get(family, "")) if thing in _PARENT]
    return rng.choice(line if line and rng.random() < 0.55 else _VALUES[family])
