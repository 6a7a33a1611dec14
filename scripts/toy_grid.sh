#!/usr/bin/env bash
# The embedded model's grid, three seeds each of SFT, RL and SFT -> RL: scripts/toy_grid.sh [DIR]
# The demo's recipes with all their steps: three to four hours on one core.
# Each stage goes on where it was when the script is run again.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/toy-grid}
bin=.venv/bin
bash scripts/setup.sh
models=(base=toy)
grpo() { "$bin/python" -m rl_faith.training.grpo --config "recipes/toy/$1.yaml" "${@:2}"; }
for seed in 0 1 2; do
    "$bin/rl-faith" build --config recipes/toy/build.yaml \
        --seed "$seed" --quality_examples 0 --out "$out/build-$seed"
    "$bin/python" -m rl_faith.training.sft --config recipes/toy/sft.yaml \
        --seed "$seed" --build "$out/build-$seed" --output_dir "$out/sft-$seed"
    grpo grpo-self-consistency --seed "$seed" --output_dir "$out/drop-$seed"
    grpo grpo-refine --seed "$seed" \
        --model_name_or_path "$out/drop-$seed" --output_dir "$out/rl-$seed"
    grpo grpo-refine --seed "$seed" \
        --model_name_or_path "$out/sft-$seed" --output_dir "$out/sft-rl-$seed"
    for kind in sft rl sft-rl; do models+=("$kind-$seed=$out/$kind-$seed"); done
done
"$bin/rl-faith" evaluate --config recipes/toy/evaluate.yaml --models "${models[@]}" \
    --examples_per_task 600 --ceiling_examples 200 --budgets one multi --out "$out/evaluate"
"$bin/rl-faith" compare "$out/evaluate" --baseline base --report "$out/report"
"$bin/python" scripts/seed_means.py "$out/evaluate"
