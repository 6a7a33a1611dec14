#!/usr/bin/env bash
# Sets up an environment with DeepSpeed and runs the tests that need it: scripts/test_deepspeed.sh
# An environment of its own, so that all other tests run as for a user without DeepSpeed.
set -euo pipefail
cd "$(dirname "$0")/.."
export VENV=.venv-deepspeed HF_HUB_OFFLINE=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
bash scripts/setup.sh dev,deepspeed
# DeepSpeed compiles what it needs at its first use, and looks for ninja on the PATH.
PATH="$PWD/$VENV/bin:$PATH" "$VENV"/bin/python -m pytest -m deepspeed "$@"
