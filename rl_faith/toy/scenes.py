"""Scenes with a statement about them, and the rule that says whether the scene implies it.

The rule: every word of the statement that names a kind of thing is a condition. A condition holds
when the scene names that thing or a special case of it, may hold when the scene names only
something more general, puts "perhaps" before it, or says nothing, and fails when the scene names
another thing of that family or says "without" before it. "perhaps" and "without" act on the next
named thing. One failed condition gives No, otherwise an open one gives Maybe, otherwise Yes. The
rule reads whatever words are left, so it labels redacted scenes as well.
"""

from random import Random

from rl_faith.text import words

# Every family is one tree: "parent: child child", the root first.
_FAMILIES = {
    "person": "person: adult child teacher; adult: man woman nurse; child: boy girl toddler",
    "animal": "animal: dog cat horse bird; dog: puppy poodle; cat: kitten; bird: duck parrot",
    "colour": "coloured: red blue green yellow black white; red: crimson; blue: navy",
    "garment": "costume: coat hat shirt dress scarf; hat: beanie; coat: raincoat",
    "object": "thing: ball guitar book camera kite drum cup",
    "place": "place: park beach kitchen school market garden library",
    "action": "moving: running sleeping reading singing cooking dancing; running: sprinting",
}
_FRAMES = {
    "person": "There is {}",
    "animal": "There is {}",
    "colour": "Somebody wears {}",
    "garment": "Somebody wears {}",
    "object": "Somebody has {}",
    "place": "It happens at the {}",
    "action": "Somebody is {}",
}
_PAIRS = {"action": "{} is {}", "object": "{} has {}", "colour": "{} wears {}"}
_COUNTED = {"person", "animal", "garment", "object"}
_MOODS = ("tall", "young", "quiet", "happy", "tired", "small")
_LINKS, _TIMES = ("near", "beside", "behind"), ("today", "slowly", "again", "outside", "alone")
_PERHAPS, _SURELY = "perhaps", ("clearly", "maybe-not")


def _parents(tree: str) -> dict[str, str]:
    branches = (branch.split(":") for branch in tree.split(";"))
    return {child: parent.strip() for parent, line in branches for child in line.split()}
