#!/usr/bin/env bash
# Phi-CCT of the embedded model, three seeds each of SFT and RL: scripts/toy_phi.sh [DIR]
# and of RL on words alone and on suggestions alone, one seed. Under an hour on one core.
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
grpo 0 --interventions toy_word --output_dir "$out/words-0"
grpo 0 --interventions user_bias --output_dir "$out/suggestions-0"
models+=("words-0=$out/words-0" "suggestions-0=$out/suggestions-0")
"$bin/rl-faith" evaluate --config recipes/toy/phi-evaluate.yaml --models "${models[@]}" \
    --out "$out/evaluate"
"$bin/rl-faith" compare "$out/evaluate" --baseline base --out "$out"
"$bin/rl-faith" audit "$out/evaluate" --baseline base
