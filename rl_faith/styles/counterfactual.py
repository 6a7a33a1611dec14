"""Counterfactual: the model rewrites the input so that its own prediction would change."""

import json
from collections.abc import Mapping

import regex
from rapidfuzz.distance import Levenshtein

from rl_faith.styles.reply import texts_of
from rl_faith.styles.style import DELETION, Budget, Explanation, Invalid
from rl_faith.text import changed_words, edit_distance, fold, redact, replace, tokens, words


class Counterfactual:
    """Edits the input. Valid when it differs and uses neither `[REDACTED]` nor a label word.

    A label word or placeholder that the input itself contains may stay (ours): only bringing one
    in is refused.
    """

    name = "counterfactual"

    def parse(self, reply: str, text: str, labels: tuple[str, ...]) -> Explanation | Invalid:
        """Take the candidate nearest to `text` and check the conditions."""
        edited = _nearest(reply, text)
        if edited is None:
            return Invalid("empty", "no text in the reply")
        if _placeholders(edited) > _placeholders(text):
            return Invalid("contains_redacted", "the edit contains [REDACTED]")
        if used := _labels_brought_in(text, edited, labels):
            return Invalid("contains_label", f"the edit brings in the label word {used[0]!r}")
        if not (changes := changed_words(text, edited)):
            return Invalid("unchanged", "the edit changes no word")
        return Explanation(edited, tuple(new or DELETION for _, new in changes), len(changes))

    def express(self, text: str, edits: Mapping[int, str], budget: Budget) -> str:
        """Write the text with the words replaced."""
        edited = text
        for position in sorted(edits, reverse=True):  # from behind: the positions before it stay
            edited = replace(edited, position, edits[position])
        if budget == "one":
            return f"Answer: {edited}"
        return json.dumps({"edited_text": edited}, ensure_ascii=False)

    def single_edits(self, text: str) -> dict[int, str]:
        """Redact each word in turn: the ceiling is that of redaction."""
        return {i: redact(text, {i}) for i in range(len(words(text)))}

    def moved_edits(self, text: str, explanation: Explanation) -> list[str]:
        """Put the word that replaces another in the place of every other one."""
        changes = changed_words(text, explanation.edited)
        if len(changes) != 1 or not all(changes[0]):
            return []
        old, new = map(fold, changes[0])
        places = [i for i, word in enumerate(words(text)) if word.key not in (old, new)]
        return [replace(text, i, changes[0][1]) for i in places]


def _nearest(reply: str, text: str) -> str | None:
    """The reading of the reply with the fewest edits of `text`, by words and then by characters."""
    return min(
        (c for c in texts_of(reply, "edited_text") if words(c) or _placeholders(c)),
        key=lambda c: (edit_distance(text, c), Levenshtein.distance(text, c)),
        default=None,
    )


def _placeholders(text: str) -> int:
    return sum(token.kind == "placeholder" for token in tokens(text))


def _labels_brought_in(text: str, edited: str, labels: tuple[str, ...]) -> list[str]:
    return [label for label in labels if _mentions(edited, label) > _mentions(text, label)]


def _mentions(text: str, label: str) -> int:
    """How often the label stands in the text, also inside "#positive" or "world's"."""
    return len(regex.findall(rf"(?<!\p{{L}}){regex.escape(fold(label))}(?!\p{{L}})", fold(text)))
