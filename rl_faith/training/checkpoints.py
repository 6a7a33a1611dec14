"""Where a training that was stopped goes on: at the newest checkpoint that is whole.

The trainer writes a checkpoint file by file, under several processes each its own. Once all are
there, their names and sizes are written beside them, and only then older checkpoints go. So a kill
or a full disk at any moment leaves a whole one, and a file that was lost or cut later is noticed.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.logging import get_logger
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import rotate_checkpoints

from rl_faith.runs import write_json

log = get_logger(__name__)  # of the first process alone

_SEAL = "files.json"


class SealedCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Seals each checkpoint, then removes the older ones that `save_total_limit` does not keep.

    To be added behind the callbacks that write to checkpoints. When training begins, checkpoints
    newer than the one it goes on from are removed: they are not whole, and will come again. Those
    without a seal that look finished may be another program's and are renamed.
    """

    def __init__(self, args: TrainingArguments) -> None:
        # The trainer itself would remove the older ones before the new one is sealed.
        self._most, args.save_total_limit = args.save_total_limit, None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put away what was passed over."""
        if args.should_save:
            for checkpoint in _checkpoints(Path(args.output_dir)):
                if _step(checkpoint) > state.global_step:
                    _put_away(checkpoint)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Write down what the checkpoint holds, once every process has written its part."""
        PartialState().wait_for_everyone()
        if args.should_save:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            write_json(folder / _SEAL, {name: path.stat().st_size for name, path in _files(folder)})
            rotate_checkpoints(args.output_dir, self._most, state.best_model_checkpoint)


def _put_away(checkpoint: Path) -> None:
    # The trainer writes the state last.
    foreign = (checkpoint / "trainer_state.json").is_file() and not (checkpoint / _SEAL).exists()
    aside = checkpoint.with_name(f"unsealed-{checkpoint.name}")
    if foreign and not aside.exists():
        log.warning("%s is not of this program's making, and is kept as %s", checkpoint, aside.name)
        checkpoint.rename(aside)
    else:
        shutil.rmtree(checkpoint)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What is needed to go on; a model card may be changed at any time."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (_SEAL, "README.md"):
            yield name, path


def train_on(trainer: Trainer, folder: Path) -> None:
    """Train to the end, from the newest whole checkpoint in a folder if there is one."""
    checkpoint = last_checkpoint(folder)
    if checkpoint and _is_last(Path(checkpoint)):
        # The trainer would take one step more than it was told.
        trainer.get_batch_samples = lambda *_: ([], None)
    trainer.train(resume_from_checkpoint=checkpoint)


def _is_last(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return bool(state.global_step >= state.max_steps)


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; of those that are not, a warning says what they lack."""
    found = sorted(_checkpoints(folder), key=_step, reverse=True)
    for checkpoint in found:
        lack = _lack(checkpoint)
        if lack is None:
            log.info("going on from %s", checkpoint)
            return str(checkpoint)
        log.warning("%s is not whole (%s) and is passed over", checkpoint, lack)
    if found:
        log.warning("%s holds no whole checkpoint; training starts anew", folder)
    return None


def _checkpoints(folder: Path) -> list[Path]:
    return list(folder.glob("checkpoint-[0-9]*"))


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _lack(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words."""
    try:
        sealed = json.loads((checkpoint / _SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it was not written to the end"
    for name, size in sealed.items():
        file = checkpoint / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes of {size}"
    return None
