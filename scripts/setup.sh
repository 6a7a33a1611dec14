#!/usr/bin/env bash
# Creates .venv (or $VENV) in this checkout and installs the package: scripts/setup.sh [EXTRAS]
# Run again it is quick: what is there already stays.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-}
venv=${VENV:-.venv}
torch="torch>=2.11,<2.14"

[ -x "$venv"/bin/python ] || "${PYTHON:-python3}" -m venv "$venv"
pip() { "$venv"/bin/python -m pip --disable-pip-version-check install --quiet "$@"; }
# Environments beside each other share what uv has downloaded.
uv() { "$venv"/bin/uv pip install --quiet --python "$venv"/bin/python "$@"; }

echo "installing rl-faith${extra:+ [$extra]} into $venv (a minute or two the first time)"
[ -x "$venv"/bin/uv ] || pip uv
if ! "$venv"/bin/python -c "import torch" 2>/dev/null; then
    # Without a GPU the default Linux build of torch would bring gigabytes of CUDA packages.
    if ! command -v nvidia-smi >/dev/null && pip --dry-run --report - "$torch" | grep -q '"name": "nvidia-'; then
        echo "no GPU here: installing the CPU build of torch"
        uv --torch-backend cpu "$torch"
    else
        pip "$torch"
    fi
fi
uv --editable ".${extra:+[$extra]}"
