"""The commands that stand in the project's pages, and what each of them needs."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rl_faith.evaluation.models import parse_models
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import read_recipe
from rl_faith.toy import MODELS

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(page.relative_to(ROOT))
    for where in ("README.md", "docs/*.md", "rewards/README.md", "ds_configs/README.md",
                  "recipes/*/README.md")
    for page in ROOT.glob(where)
)  # fmt: skip

_SHELL = ("bash", "sh")
_OTHER = ("text", "yaml", "python", "json")
_ASSIGNED = re.compile(r"([A-Z_]+)=(.*)")
# More examples than these take more than seconds.
_FEW = 50


@dataclass(frozen=True)
class Command:
    """One command of a page.

    Attributes:
        page: Where it stands.
        line: From 1.
        text: As it stands, on one line.
        words: As a shell splits it, without the variables in front; the first is the bare program.
        shown: What the page says it prints, line by line.
    """

    page: str
    line: int
    text: str
    words: tuple[str, ...]
    shown: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        return self.words[0]

    def value(self, option: str) -> list[str]:
        """What follows an option, up to the next one."""
        if option not in self.words:
            return []
        behind = self.words[self.words.index(option) + 1 :]
        end = next((i for i, word in enumerate(behind) if word.startswith("--")), len(behind))
        return list(behind[:end])


def blocks(page: str) -> list[Token]:
    """Code blocks of a page, fenced and indented, in order."""
    tokens = MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8"))
    return [token for token in tokens if token.type in ("fence", "code_block")]


def language(block: Token) -> str:
    """What a block holds; an indented one holds commands.

    Raises:
        ValueError: it does not say, or something that no test knows.
    """
    if block.type == "code_block":
        return "bash"
    told = block.info.split(" ")[0]
    if told not in _SHELL + _OTHER:
        raise ValueError(f"a block of {told or 'no'} language; known: {_SHELL + _OTHER}")
    return "bash" if told in _SHELL else told


def commands(page: str) -> list[Command]:
    """Every command of a page, in order, the last of a block with the output that is shown."""
    found: list[Command] = []
    for block in blocks(page):
        if language(block) == "bash":
            found += _commands(page, block)
        elif block.info == "text output":
            lines = [line for line in block.content.splitlines() if line.strip()]
            last = found.pop()
            found.append(Command(*list(vars(last).values())[:4], (*last.shown, *lines)))
    return found


def _commands(page: str, block: Token) -> Iterator[Command]:
    first = block.map[0] + (2 if block.type == "fence" else 1)
    lines = block.content.split("\n")
    pending = ""
    for number, line in enumerate(lines, start=first):
        pending += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        words = shlex.split(pending, comments=True)
        while words and _ASSIGNED.fullmatch(words[0]):
            words.pop(0)
        if words:
            bare = words[0].removeprefix(".venv/bin/")
            text = " ".join(pending.split())
            yield Command(page, number, text, (bare, *words[1:]))
        pending = ""


def planned() -> list[tuple[Command, str]]:
    """Every command with the reason not to run it; "" where it is run as it stands."""
    return [pair for page in PAGES for pair in _planned(commands(page))]


def _planned(on_page: list[Command]) -> Iterator[tuple[Command, str]]:
    made: set[str] = set()
    for command in on_page:
        why = why_not(command, made)
        if not why:
            made.update([*command.value("--out"), *command.value("--report")])
        yield command, why


def why_not(command: Command, made: set[str]) -> str:
    """Why a command is checked without being run.

    Args:
        command: To run or not.
        made: The folders that commands above it on the page have made.
    """
    if command.program in ("head", "grep"):
        return _lacking([command.words[-1].rpartition("/")[0]], made)
    if command.words[:2] == ("python", "scripts/recipe_keys.py"):
        return ""
    if command.program != "rl-faith":
        return "takes minutes, a GPU, a cluster or the Hub"
    return _why_not_ours(command, made)


def _why_not_ours(command: Command, made: set[str]) -> str:
    name = command.words[1]
    if name in ("check-recipe", "doctor"):
        return _lacking([w for w in command.words[2:] if "*" not in w], made | _files(command))
    if name == "check-reward":
        own = dict(named_blocks(command.page)).get(command.words[2])
        recipe = read_yaml(own) if own else read_recipe(ROOT / command.words[2])
        return _not_embedded([recipe["model_name_or_path"]])
    if name == "explain":
        return _not_embedded(command.value("--model"))
    if name in ("compare", "audit", "card"):
        given = [word for word in command.words[2:] if not word.startswith("--")]
        options = {v for o in ("--baseline", "--out", "--report") for v in command.value(o)}
        return _lacking([word for word in given if word not in options], made)
    if name in ("build", "evaluate"):
        recipe = read_recipe(ROOT / command.value("--config")[0])
        models = command.value("--models") or recipe.get("models") or []
        models = [recipe["model_name_or_path"]] if name == "build" else models
        few = int((command.value("--examples_per_task") or [_FEW + 1])[0]) <= _FEW
        return _not_embedded(parse_models(models).values()) or ("" if few else "takes minutes")
    return "takes minutes"


def _files(command: Command) -> set[str]:
    """Files that are there, or that the page says to write."""
    written = {name for name, _ in named_blocks(command.page)}
    return written | {word for word in command.words if (ROOT / word).exists()}


def _lacking(needed: list[str], there: set[str]) -> str:
    lacking = [path for path in needed if path not in there]
    return f"needs {lacking[0]}" if lacking else ""


def _not_embedded(models) -> str:
    strange = [model for model in models if model not in MODELS]
    return f"needs {strange[0]}" if strange else ""


def named_blocks(page: str) -> list[tuple[str, str]]:
    """Name and content of the blocks that are files of the reader's own."""
    return [
        (block.info.split(" ")[1], block.content)
        for block in blocks(page)
        if re.fullmatch(r"(yaml|python|json) \S+", block.info)
    ]


def inlines(page: str) -> Iterator[Token]:
    """Inline code and links of a page."""
    for token in MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text()):
        yield from (c for c in token.children or () if c.type in ("code_inline", "link_open"))


# What a page says a command prints

_NUMBER = re.compile(r"[-+]?\d+\.\d+")
_BARS = "[█▏▎▍▌▋▊▉ ]*"


def missing_in(said: str, wanted: tuple[str, ...]) -> str:
    """The first wanted line that was not printed, in order; "" if all were.

    Numbers may differ by rounding on another machine, `…` stands for anything, and bars are drawn
    as wide as the terminal.
    """
    lines = iter(said.splitlines())
    for line in wanted:
        if not any(_same(line, printed) for printed in lines):
            return line
    return ""


def _same(wanted: str, printed: str) -> bool:
    parts = [_loose(part) for part in _NUMBER.split(wanted.strip())]
    match = re.fullmatch(f"({_NUMBER.pattern})".join(parts) + _BARS, printed.strip())
    numbers = zip(_NUMBER.findall(wanted), match.groups() if match else (), strict=False)
    return bool(match) and all(abs(float(a) - float(b)) <= 0.015 for a, b in numbers)


def _loose(text: str) -> str:
    pieces = (r"\s+".join(re.escape(w) for w in re.split(r"\s+", p)) for p in text.split("…"))
    return ".*".join(pieces)
