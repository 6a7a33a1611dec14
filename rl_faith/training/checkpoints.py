"""Where a training that was stopped goes on."""

import json
from pathlib import Path


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint: a kill can leave half of one, which cannot be loaded."""
    whole = [c for c in folder.glob("checkpoint-[0-9]*") if _is_whole(c)]
    last = max(whole, key=lambda c: int(c.name.rpartition("-")[2]), default=None)
    return None if last is None else str(last)


def _is_whole(checkpoint: Path) -> bool:
    # The trainer writes this file last.
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
