#!/usr/bin/env bash
# The experiment on SmolLM2-135M, one of its two halves from the model as it comes to the report:
#   scripts/smollm2.sh self-consistency|phi [--small] [DATA [MODEL [DIR]]]
# DATA: "hub", or a folder with TASK/{train,test}.jsonl and instruct/train.jsonl (phi: such a folder).
# MODEL: a Hub id or a folder. DIR: where the runs go.
# --small is for two processor cores: one task and style, float32, fewer examples and steps.
# Each stage goes on where it was when the script is run again; finished ones take seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
half=${1:?self-consistency or phi}
shift
small=
if [ "${1:-}" = --small ]; then
    small=yes
    shift
fi
data=${1:-hub} model=${2:-HuggingFaceTB/SmolLM2-135M-Instruct} out=${3:-runs/smollm2-135m}
recipes=recipes/smollm2-135m bin=.venv/bin
bash scripts/setup.sh

# What a stage changes in its recipe without a GPU, behind what it is always told.
less() { [ -z "$small" ] || printf '%s\n' --dtype float32 "$@"; }
run() {
    local stage=$1 recipe=$2
    shift 2
    case $stage in
        build | evaluate) "$bin/rl-faith" "$stage" --config "$recipes/$recipe.yaml" "$@" ;;
        *) "$bin/accelerate" launch ${small:+--cpu} -m "rl_faith.training.$stage" \
            --config "$recipes/$recipe.yaml" "$@" ;;
    esac
}

self_consistency() {
    local kind words start few=(--tasks sentiment140 --styles attribution)
    mapfile -t s < <(less --tasks sentiment140 --examples_per_task 640)
    run sft sft-predictions --data "$data" --model_name_or_path "$model" \
        --output_dir "$out/predictions" "${s[@]}"
    local replay=(--replay allenai/tulu-v2-sft-mixture)
    [ ! -f "$data/instruct/train.jsonl" ] || replay=(--replay "$data/instruct/train.jsonl")
    for kind in formats sft; do
        words=influential
        [ "$kind" = sft ] || words=random
        mapfile -t s < <(less "${few[@]}" --examples_per_task 300 --quality_examples 40)
        run build build --data "$data" --model_name_or_path "$out/predictions" \
            --words "$words" --out "$out/build-$words" "${s[@]}"
        mapfile -t s < <(less "${few[@]}" --replay_examples 40 --replay_predictions 280 \
            --max_length 320)
        run sft sft --model_name_or_path "$out/predictions" --build "$out/build-$words" \
            "${replay[@]}" --output_dir "$out/$kind" "${s[@]}"
    done
    for kind in rl sft-rl; do
        start=formats
        [ "$kind" = rl ] || start=sft
        mapfile -t s < <(less "${few[@]}" --examples_per_task 240 --held_out_examples 0 \
            --eval_strategy no --eval_on_start false --max_completion_length 16 \
            --per_device_train_batch_size 64 --max_steps 45)
        run grpo grpo-self-consistency --data "$data" --model_name_or_path "$out/$start" \
            --output_dir "$out/$kind" "${s[@]}"
    done
    mapfile -t s < <(less "${few[@]}" --examples_per_task 250 --ceiling_examples 0 \
        --max_new_tokens 16)
    run evaluate evaluate --data "$data" --out "$out/evaluate" --models "formats=$out/formats" \
        "sft=$out/sft" "rl=$out/rl" "sft-rl=$out/sft-rl" "${s[@]}"
    report evaluate formats
}

phi() {
    local few=(--interventions "$recipes/interventions/few-suggestions.yaml")
    mapfile -t s < <(less --examples_per_task 480)
    run sft phi-predictions --data "$data" --model_name_or_path "$model" \
        --output_dir "$out/phi-predictions" "${s[@]}"
    mapfile -t s < <(less "${few[@]}" --examples_per_task 250 --pool_per_cell 240)
    run build phi-build --data "$data" --model_name_or_path "$out/phi-predictions" \
        --out "$out/phi-build" "${s[@]}"
    mapfile -t s < <(less --replay_predictions 160)
    run sft phi-sft --model_name_or_path "$out/phi-predictions" --build "$out/phi-build" \
        --output_dir "$out/phi-sft" "${s[@]}"
    mapfile -t s < <(less --interventions user_bias --held_out_examples 0 --eval_strategy no \
        --eval_on_start false --per_device_train_batch_size 64 --num_generations 8 --max_steps 36 \
        --learning_rate 5e-4)
    run grpo grpo-phi --model_name_or_path "$out/phi-sft" --pool "$out/phi-build" \
        --output_dir "$out/grpo-phi" "${s[@]}"
    mapfile -t s < <(less "${few[@]}" --examples_per_task 84 \
        --tasks esnli social_iqa strategyqa)
    local models=("sft=$out/phi-sft" "rl=$out/grpo-phi")
    [ -n "$small" ] || models=("predictions=$out/phi-predictions" "${models[@]}")
    run evaluate phi-evaluate --data "$data" --out "$out/phi-evaluate" --models "${models[@]}" \
        "${s[@]}"
    report phi-evaluate sft
}

report() {
    "$bin/rl-faith" compare "$out/$1" --baseline "$2" --report "$out/$1-report"
    "$bin/rl-faith" audit "$out/$1" --baseline "$2"
}

case $half in
    self-consistency) self_consistency ;;
    phi) phi ;;
    *) echo "scripts/smollm2.sh: '$half' is no half of the experiment; self-consistency or phi" >&2
       exit 2 ;;
esac
