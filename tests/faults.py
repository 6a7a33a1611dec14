"""Real commands that are broken on purpose, and the table of what came of it.

A test adds a row to the table once everything that the row says has been asserted.
`RL_FAITH_FAULT_TABLE=tests/README.md` makes a run of the tests write the table there.
"""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.numpy import load_file

README = Path(__file__).with_name("README.md")
# From the moment that something broke.
SOON = 60
_PATIENCE = 300
_LAUNCH = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Exit status, negative for the signal that ended it.
        said: All it wrote.
        seconds: It took, counted from the kill where there was one.
    """

    code: int
    said: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """What the command's own processes say was wrong, one line each."""
        return [line for line in self.said.splitlines() if line.startswith("error:")]

    def error(self) -> str:
        """The one sentence that a command which ends by itself has left."""
        assert self.code == 2, self.said[-3000:]
        assert "Traceback" not in self.said, self.said[-3000:]
        assert len(self.errors) == 1, self.said[-3000:]
        return self.errors[0]


class Command:
    """`python ...` as a user types it, in a process group of its own."""

    def __init__(self, log: Path, *arguments, ranks: int = 1, under=()) -> None:
        words = [*(_LAUNCH if ranks > 1 else []), *map(str, arguments)]
        self.log, self.began = log, time.monotonic()
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [*under, sys.executable, *words],
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self.process.poll() is not None

    def when(self, ready: Callable[[], bool], ends: bool = False) -> "Command":
        """Wait until something is so, or it has ended where that may be."""
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if ends and self.ended():
                break
            assert not self.ended(), f"it ended too early:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"nothing:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.01)
        return self

    def children(self) -> list[int]:
        """The processes that a launcher has started, by rank."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(map(int, found.split()))

    def kill(self, victim: int | None = None) -> "Command":
        """SIGKILL to one process of it; time is counted from here."""
        os.kill(victim or self.process.pid, signal.SIGKILL)
        self.began = time.monotonic()
        return self

    def end(self) -> Ended:
        """Wait for the end."""
        try:
            code = self.process.wait(_PATIENCE)
        finally:
            self.clear()
        return Ended(code, self.log.read_text(), time.monotonic() - self.began)

    def clear(self) -> None:
        """End whatever of its group is left."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


def finished(log: Path, *arguments, **how) -> Ended:
    """Run a command to its good end."""
    done = Command(log, *arguments, **how).end()
    assert done.code == 0, done.said[-3000:]
    return done


@dataclass(frozen=True)
class Life:
    """How long a command takes.

    Attributes:
        loading: Seconds until it leaves its first row or checkpoint.
        working: Seconds from there to the end.
    """

    loading: float
    working: float


def undisturbed(log: Path, out: Path, *arguments) -> Life:
    """Run a command to its end; tell how long which part of its life took."""
    command = Command(log, *arguments).when(lambda: left_by(out) > 0)
    first = time.monotonic()
    done = command.end()
    assert done.code == 0, done.said[-3000:]
    return Life(first - command.began, time.monotonic() - first)


def killed_at_random(log: Path, out: Path, life: Life, times: int, *arguments) -> None:
    """Start a command again and again, and kill it at moments spread over its whole life.

    Every third one is killed while it loads, the others after they have left something more. One
    that ends before its moment comes is no trial.
    """
    rng, trials = random.Random(times), 0
    while trials < times:
        before = left_by(out)
        command = Command(log, *arguments)
        if trials % 3 == 2:
            time.sleep(life.loading * rng.random())
        else:
            command.when(lambda before=before: left_by(out) > before, ends=True)
            time.sleep(life.working * rng.random() ** 2)
        ended = command.end() if command.ended() else command.kill().end()
        if ended.code == -signal.SIGKILL:
            trials += 1
            continue
        # One that is giving its memory back can no longer be killed, though it has not ended yet.
        assert ended.code == 0, ended.said[-3000:]
        out.rename(out.with_name(f"{out.name}-{time.monotonic_ns()}"))


def small_disk_run(log: Path, out: Path, kilobytes: int, *arguments) -> Ended:
    """Run a command whose run directory is on a disk of so many kilobytes, then with room again.

    The disk is a small tmpfs where an ordinary user may mount one; elsewhere no file may become
    larger than what would be left.

    Returns:
        How it ended at first; what the second run left is in `out`.
    """
    out.mkdir()
    if not _may_mount(out):
        under = ("prlimit", f"--fsize={1024 * kilobytes // 3}")
        ended = Command(log, *arguments, under=under).end()
        finished(log.with_suffix(".again"), *arguments)
        return ended
    mounted = f"mount -t tmpfs -o size={kilobytes}k none {out}"
    again = f"mount -o remount,size=900m {out}"
    kept = out.with_name("kept")
    command = shlex.join([sys.executable, *map(str, arguments)])
    log_2, times = log.with_suffix(".again"), log.with_suffix(".times")
    script = (
        f"{mounted}; date +%s.%N > {times}; {command} > {log} 2>&1; echo $? >> {times}; "
        f"date +%s.%N >> {times}; {again}; {command} > {log_2} 2>&1; code=$?; "
        f"cp -r {out} {kept}; exit $code"
    )
    done = subprocess.run([*_NAMESPACE, script], check=False, timeout=_PATIENCE)
    assert done.returncode == 0, log_2.read_text()[-3000:]
    out.rmdir()
    kept.rename(out)
    began, code, ended_at = times.read_text().split()
    return Ended(int(code), log.read_text(), float(ended_at) - float(began))


_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


def _may_mount(folder: Path) -> bool:
    try:
        return not subprocess.run(
            [*_NAMESPACE, f"mount -t tmpfs none {folder}"], check=False, capture_output=True
        ).returncode
    except OSError:
        return False


def left_by(out: Path) -> int:
    """Grows with the rows and checkpoints in a run directory."""
    rows = sum(file.stat().st_size for file in out.glob("instances*"))
    return rows + sum(int(file.name.rpartition("-")[2]) for file in out.glob("checkpoint-*"))


def history(out: Path) -> list[dict]:
    """What a training has logged, but for times and what TRL counts for each sitting anew."""
    found = json.loads((out / "trainer_state.json").read_text())["log_history"]
    untimed = re.compile(
        r"step_time|epoch|ask/|runtime|per_second|train_|total_flos|profiling|num_tokens"
    )
    kept = [{k: v for k, v in entry.items() if not untimed.match(k)} for entry in found]
    return [entry for entry in kept if entry.keys() - {"step"}]


def assert_same_training(found: Path, wanted: Path) -> None:
    """Equal final weights, and equal figures at every step."""
    for file in wanted.glob("*.safetensors"):
        ours, theirs = load_file(found / file.name), load_file(file)
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert abs(ours[name] - tensor).max() < 1e-4, name
    ours, theirs = _by_step(history(found)), _by_step(history(wanted))
    assert ours.keys() == theirs.keys()
    for step, entry in theirs.items():
        same = {name: ours[step].get(name) for name in entry}
        assert same == pytest.approx(entry, rel=1e-4, abs=1e-4), step


def _by_step(entries: list[dict]) -> dict[int, dict]:
    """A run that goes on judges the held-out examples where it begins, too."""
    merged: dict[int, dict] = {}
    for entry in entries:
        merged.setdefault(entry["step"], {}).update(entry)
    return merged


_RULE = "| --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class FaultTable:
    """Rows that tests have earned.

    Attributes:
        written: Where they are written; None when they need only stand in the committed table.
    """

    written: Path | None

    def add(self, component: str, fault: str, outcome: str, times: int = 1) -> None:
        """A fault that was tried, and what came of it each time."""
        begins = f"| {component} | {fault} |"
        if not self.written:
            assert begins in README.read_text(), f"write the table anew: {begins}"
            return
        head, rule, rows = self.written.read_text().partition(_RULE)
        kept = [row for row in rows.splitlines() if not row.startswith(begins)]
        lines = sorted([*kept, f"{begins} {outcome} | {times} |"])
        self.written.write_text(head + rule + "\n".join(lines) + "\n")


def fault_table() -> FaultTable:
    """Where the tests of this session put their rows."""
    told = os.environ.get("RL_FAITH_FAULT_TABLE")
    return FaultTable(Path(told) if told else None)


def quoted(sentence: str) -> str:
    """A sentence as it stands in the table: without paths and numbers of this run."""
    plain = sentence.removeprefix("error: ").replace("|", "/")
    plain = re.sub(r"http://[\w.:]+", "http://…", plain)
    plain = re.sub(r"(/[\w.\-]+){2,}", "…", plain)
    return f"“{plain}”"
