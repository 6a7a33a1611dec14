"""Attribution: the model lists the words that matter; each is redacted wherever it stands."""

import json
from collections.abc import Mapping

from rl_faith.styles.reply import answer_of, lists_of
from rl_faith.styles.style import Budget, Explanation, Invalid
from rl_faith.text import fold, positions_of, redact, tokens, words


class Attribution:
    """Lists words of the input. Valid when every listed word is a word of the input."""

    name = "attribution"

    def parse(self, reply: str, text: str, labels: tuple[str, ...]) -> Explanation | Invalid:
        """Read the list and redact its words in `text`."""
        known = {word.key: word.text for word in reversed(words(text))}
        strangers: list[str] = []
        for items in lists_of(reply, "words"):
            listed, strange = _lookup(items, known)
            if listed and not strange:
                edited = redact(text, positions_of(text, listed))
                return Explanation(edited, tuple(listed), len(listed))
            strangers = strangers or strange
        if strangers and any(token.kind != "mark" for token in tokens(answer_of(reply))):
            return Invalid("word_not_in_input", f"not a word of the input: {strangers[0][:60]!r}")
        return Invalid("no_words", "no word listed")

    def express(self, text: str, edits: Mapping[int, str], budget: Budget) -> str:
        """List the words, each once."""
        found = words(text)
        listed = list({found[i].key: found[i].text for i in edits}.values())
        if budget == "one":
            return f"Answer: {listed[0]}"
        return json.dumps({"words": listed}, ensure_ascii=False)

    def single_edits(self, text: str) -> dict[int, str]:
        """Redact each distinct word wherever it stands, as listing it would."""
        places = dict.fromkeys(positions_of(text, [word.key]) for word in words(text))
        return {every[0]: redact(text, every) for every in places}

    def moved_edits(self, text: str, explanation: Explanation) -> list[str]:
        """None: another word redacted is what the random control asks about."""
        return []


def _lookup(items: list[str], known: dict[str, str]) -> tuple[list[str], list[str]]:
    """The words of the input that `items` name, each once, and what is no word of the input."""
    keys: list[str] = []
    for item in items:
        found = [t.key for t in tokens(item) if t.kind != "mark"]
        keys += [whole] if (whole := fold(item)) in known else found or [item]
    unique = list(dict.fromkeys(filter(None, keys)))
    return [known[k] for k in unique if k in known], [k for k in unique if k not in known]
