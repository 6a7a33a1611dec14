"""Counterfactual: the model rewrites the input so that its own prediction would change."""

import json

from rl_faith.styles.reply import texts_of
from rl_faith.styles.style import DELETION, Budget, Explanation, Invalid
from rl_faith.text import changed_words, edit_distance, fold, redact, replace, tokens, words


class Counterfactual:
    """Edits the input. Valid when it differs and uses neither `[REDACTED]` nor a label word.

    A label word that the input itself contains may stay (ours): only bringing one in is refused.
    """

    name = "counterfactual"

    def parse(self, reply: str, text: str, labels: tuple[str, ...]) -> Explanation | Invalid:
        """Take the candidate nearest to `text` and check the conditions."""
        candidates = [c for c in texts_of(reply, "edited_text") if words(c)]
        if not candidates:
            return Invalid("empty", "no text in the reply")
        edited = min(candidates, key=lambda candidate: edit_distance(text, candidate))
        if any(t.kind == "placeholder" for t in tokens(edited)):
            return Invalid("contains_redacted", "the edit contains [REDACTED]")
        if used := _labels_brought_in(text, edited, labels):
            return Invalid("contains_label", f"the edit brings in the label word {used[0]!r}")
        if not (changes := changed_words(text, edited)):
            return Invalid("unchanged", "the edit changes no word")
        return Explanation(edited, tuple(new or DELETION for _, new in changes), len(changes))

    def express(self, text: str, position: int, replacement: str, budget: Budget) -> str:
        """Write the text with the one word replaced."""
        edited = replace(text, position, replacement)
        if budget == "one":
            return f"Answer: {edited}"
        return json.dumps({"edited_text": edited}, ensure_ascii=False)

    def single_edits(self, text: str) -> list[str]:
        """Redact each word in turn: the ceiling is that of redaction."""
        return [redact(text, {i}) for i in range(len(words(text)))]


def _labels_brought_in(text: str, edited: str, labels: tuple[str, ...]) -> list[str]:
    before, after = ({word.key for word in words(t)} for t in (text, edited))
    return [label for label in labels if fold(label) in after - before]
