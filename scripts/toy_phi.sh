#!/usr/bin/env bash
# Phi-CCT of toy-errands, three seeds each of SFT and RL, and of RL on words alone and on suggestions
# alone, one seed: scripts/toy_phi.sh [DIR]. An hour and a half on one core.
# Each stage goes on where it was when the script is run again.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/toy-phi}
bin=.venv/bin
bash scripts/setup.sh
models=(base=toy-errands)
grpo() {
    "$bin/python" -m rl_faith.training.grpo --config recipes/toy/grpo-phi.yaml \
        --pool "$out/build-$1" --seed "$1" "${@:2}"
}
for seed in 0 1 2; do
    "$bin/rl-faith" build --config recipes/toy/phi-build.yaml --seed "$seed" --out "$out/build-$seed"
    "$bin/python" -m rl_faith.training.sft --config recipes/toy/phi-sft.yaml \
        --seed "$seed" --build "$out/build-$seed" --output_dir "$out/sft-$seed"
    grpo "$seed" --output_dir "$out/rl-$seed"
    for kind in sft rl; do models+=("$kind-$seed=$out/$kind-$seed"); done
done
"$bin/rl-faith" evaluate --config recipes/toy/phi-evaluate.yaml --models "${models[@]}" \
    --out "$out/evaluate"
"$bin/rl-faith" compare "$out/evaluate" --baseline base --report "$out/report"
"$bin/rl-faith" audit "$out/evaluate" --baseline base
# Half of the pool at the whole rate: words alone fall silent after 100 steps.
grpo 0 --interventions toy_word --learning_rate 6e-4 --output_dir "$out/words-0"
grpo 0 --interventions user_bias --output_dir "$out/suggestions-0"
"$bin/rl-faith" evaluate --config recipes/toy/phi-evaluate.yaml --out "$out/evaluate-cross" \
    --models base=toy-errands words-0="$out/words-0" suggestions-0="$out/suggestions-0"
