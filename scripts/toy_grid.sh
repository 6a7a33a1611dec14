#!/usr/bin/env bash
# The embedded model's grid with three seeds of build and SFT: scripts/toy_grid.sh [DIR]
# The demo's recipes with 6,000 instead of 2,500 examples of each task: about an hour and a half.
# Each stage goes on where it was when the script is run again.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/toy-grid}
bin=.venv/bin
bash scripts/setup.sh
models=(base=toy)
for seed in 0 1 2; do
    "$bin/rl-faith" build --config recipes/toy/build.yaml \
        --seed "$seed" --examples_per_task 6000 --quality_examples 0 --out "$out/build-$seed"
    "$bin/python" -m rl_faith.training.sft --config recipes/toy/sft.yaml \
        --seed "$seed" --build "$out/build-$seed" --output_dir "$out/sft-$seed" \
        --replay_examples 30000 --replay_predictions 15000
    models+=("sft-$seed=$out/sft-$seed")
done
"$bin/rl-faith" evaluate --config recipes/toy/evaluate.yaml --models "${models[@]}" \
    --examples_per_task 600 --budgets one multi --out "$out/evaluate"
"$bin/rl-faith" compare "$out/evaluate" --baseline base --out "$out"
