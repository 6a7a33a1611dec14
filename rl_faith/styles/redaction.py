"""Redaction: the model writes the input with `[REDACTED]` in place of the words that matter."""

import json
from collections.abc import Mapping

from rl_faith.styles.reply import texts_of
from rl_faith.styles.style import Budget, Explanation, Invalid
from rl_faith.text import align_redaction, redact, tokens, words


class Redaction:
    """Redacts words of the input. Valid when it redacts something and keeps all the rest.

    What is asked again is the input with the aligned words redacted, not the reply's own
    characters, so a change of case or spacing on the side can earn nothing.
    """

    name = "redaction"

    def parse(self, reply: str, text: str, labels: tuple[str, ...]) -> Explanation | Invalid:
        """Find which words of `text` the reply redacts."""
        readings = (align_redaction(text, c) for c in texts_of(reply, "redacted_text"))
        aligned = [positions for positions in readings if positions is not None]
        # Of several readings, the one that redacts least: no word is taken that the model kept.
        if positions := min(filter(None, aligned), key=len, default=()):
            found = words(text)
            listed = tuple(found[i].text for i in positions)
            return Explanation(redact(text, positions), listed, len(positions))
        if aligned or not any(token.kind == "placeholder" for token in tokens(reply)):
            return Invalid("not_redacted", "no [REDACTED] in the reply that the input has not")
        return Invalid("rest_changed", "the words outside [REDACTED] are not those of the input")

    def express(self, text: str, edits: Mapping[int, str], budget: Budget) -> str:
        """Write the text with the words redacted."""
        redacted = redact(text, set(edits))
        if budget == "one":
            return f"Answer: {redacted}"
        return json.dumps({"redacted_text": redacted}, ensure_ascii=False)

    def single_edits(self, text: str) -> dict[int, str]:
        """Redact each word in turn."""
        return {i: redact(text, {i}) for i in range(len(words(text)))}

    def moved_edits(self, text: str, explanation: Explanation) -> list[str]:
        """None: another word redacted is what the random control asks about."""
        return []
