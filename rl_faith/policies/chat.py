"""From conversations to token ids, through the model's own chat template."""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from rl_faith.errors import ModelError
from rl_faith.questions import Conversation, assistant, to_chat, user

# Reasoning models take this switch in their template; other templates ignore it.
TEMPLATE_ARGUMENTS = {"enable_thinking": False}
_PROBE: Conversation = (user("?"),)


class Chat:
    """Renders conversations and finds the tokens of label words for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                f"{tokenizer.name_or_path} has no chat template; "
                "use its instruction-tuned version or set tokenizer.chat_template"
            )
        self.tokenizer = tokenizer
        # Bound to the instance, so that the cache dies with it.
        self.label_ids = lru_cache(maxsize=1024)(self._label_ids)

    def text(self, conversation: Conversation) -> str:
        """The prompt as text, up to where the model's turn begins."""
        return str(
            self.tokenizer.apply_chat_template(
                to_chat(conversation),
                tokenize=False,
                add_generation_prompt=True,
                **TEMPLATE_ARGUMENTS,
            )
        )

    def ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of rendered prompts; the template has written the special tokens already."""
        if not texts:  # fast tokenizers fail on an empty batch
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [tuple(ids) for ids in encoded]

    def reply(self, ids: Sequence[int]) -> str:
        """What the model wrote, without special tokens and surrounding white space."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _label_ids(self, label: str) -> tuple[int, ...]:
        """Token ids of `label` as the model's whole turn, read off the chat template itself.

        Some templates put a space before the reply and some tokenizers write the first word of a
        text differently, so encoding the bare word would score the wrong tokens.
        """
        prompt = self.text(_PROBE)
        whole = str(
            self.tokenizer.apply_chat_template(
                to_chat((*_PROBE, assistant(label))), tokenize=False, **TEMPLATE_ARGUMENTS
            )
        )
        turn = whole[len(prompt) :] if whole.startswith(prompt) else label
        turn = turn[: turn.find(label) + len(label)]
        before, after = self.ids([prompt, prompt + turn])
        if after[: len(before)] != before or len(after) == len(before):
            raise ModelError(
                f"{self.tokenizer.name_or_path} merges the label {label!r} with the chat template"
            )
        return after[len(before) :]

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Refuse labels of which one's tokens begin another's: their scores could not be compared.

        Raises:
            ModelError: naming the two labels.
        """
        for a in labels:
            for b in labels:
                ids = self.label_ids(a)
                if a != b and self.label_ids(b)[: len(ids)] == ids:
                    raise ModelError(
                        f"{self.tokenizer.name_or_path} cannot tell the labels {a!r} and {b!r} "
                        "apart: their tokens begin alike; choose other label words"
                    )
