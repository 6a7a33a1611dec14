#!/usr/bin/env bash
# From nothing to a faithfulness comparison on the embedded model: twelve minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
.venv/bin/rl-faith demo --out runs/demo
