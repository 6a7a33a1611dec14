#!/usr/bin/env bash
# Starts the stage of a recipe on the devices of this machine:
#     scripts/launch.sh RECIPE [--key value ...]
# Counts the GPUs (those in CUDA_VISIBLE_DEVICES, if set) and their memory, takes the configuration
# that fits (ds_configs/README.md), prints the command and runs it. Set VENV to where rl-faith is.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${VENV:-.venv}/bin/python
if [ ! -x "$python" ]; then
    echo "error: there is no $python; run scripts/setup.sh first, or set VENV" >&2
    exit 2
fi
plan=$("$python" -m rl_faith.launching "$@")
mapfile -t plan <<<"$plan"
if [[ ${plan[1]} == *zero* ]] && ! "$python" -c "import deepspeed" 2>/dev/null; then
    echo "error: ${plan[1]} needs DeepSpeed; run: bash scripts/setup.sh deepspeed" >&2
    exit 2
fi
command=("$python" -m accelerate.commands.launch "${plan[@]}")
printf "%q " "${command[@]}" && echo
exec "${command[@]}"
