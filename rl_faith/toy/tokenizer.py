"""The tokenizer: byte-level BPE in which the fixed parts of the prompts are tokens of their own.

A prompt of the shipped tasks is a hundred words around a dozen that matter. Whatever stands between
the places to fill in is one added token here, so that a conversation takes some thirty tokens and a
CPU can train on it. These are ordinary tokens: any text encodes and decodes back to itself. A
prompt that is worded otherwise is read as words and bytes, which the model has never learnt to
follow: after a change of a task's prompts the model must be made again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 2048
USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
_SPECIAL = [USER, ASSISTANT, END, PAD]
_PLACE = re.compile(r"\{(?:input|second_input|redacted_input|target_label|labels)\}")
# A word keeps its leading space and its @ or #; signs never join with letters.
_WORD = Regex(r" ?[@#]?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    f"{USER}{{{{ message['content'] }}}}{END}"
    "{% elif message['role'] == 'assistant' %}"
    f"{ASSISTANT}{{% generation %}}{{{{ message['content'] }}}}{END}{{% endgeneration %}}"
    f"{{% endif %}}{{% endfor %}}{{% if add_generation_prompt %}}{ASSISTANT}{{% endif %}}"
)


@dataclass(frozen=True)
class Lexicon:
    """What a model has to read and write.

    Attributes:
        prompts: Of which all but the places to fill in becomes tokens of their own.
        replies: Fixed parts of replies, which become such tokens as well.
        words: Each becomes a token, by itself and after a space.
    """

    prompts: tuple[str, ...]
    replies: tuple[str, ...]
    words: tuple[str, ...]


def train_tokenizer(lexicon: Lexicon) -> PreTrainedTokenizerFast:
    """Make the tokenizer of a model."""
    added = [*lexicon.replies, *_fixed_parts(lexicon)]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_WORD, "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(added),
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_practice(lexicon), trainer)
    bpe.add_tokens([AddedToken(text, normalized=False) for text in added])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        padding_side="left",
        chat_template=_TEMPLATE,
    )


def _fixed_parts(lexicon: Lexicon) -> list[str]:
    """What stands between the places of all prompts; a space before a place goes with the place."""
    pieces = (piece.rstrip(" ") for prompt in lexicon.prompts for piece in _PLACE.split(prompt))
    return list(dict.fromkeys(piece for piece in pieces if len(piece) > 2))


def _practice(lexicon: Lexicon) -> Iterator[str]:
    """Every word by itself and after a space, often enough to become a single token."""
    for word in dict.fromkeys(lexicon.words):
        yield from [f" {word}", word] * 20
    yield from lexicon.prompts
