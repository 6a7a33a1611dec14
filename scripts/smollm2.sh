#!/usr/bin/env bash
# The experiment on SmolLM2-135M, one of its parts from the model as it comes to the report:
#   scripts/smollm2.sh PART [--small] [DATA [MODEL [DIR]]]
# PART: sentiment140, ag_news or snli (self-consistency); phi, suggestions and inserted words in esnli and
# social_iqa, with the labels of snli; phi-suggestions, suggestions in esnli alone, from the warm start of phi;
# phi-texts, suggestions beside sentiment140 and ag_news; together, one model for every style of these two, in one
# word and one in any number, with the labels of phi-texts; phi-words, inserted words in sentiment140, with the same
# labels; phi-esnli, inserted words in esnli, with the labels of snli; grid, what the first three made, each
# model on every task and style; all: these, in this order.
# Parts can run beside each other, but grid goes behind the first three, together and phi-words behind phi-texts, phi
# and phi-esnli behind snli, and phi-suggestions behind phi.
# DATA: "hub", or a folder with TASK/{train,test}.jsonl and instruct/train.jsonl (all, phi, phi-suggestions and
# phi-texts: such a folder).
# MODEL: a Hub id or a folder. DIR: where the runs go.
# --small is for a processor core: fewer examples and steps, in phi-texts suggestions only, float32
# where the core has no bfloat16; there a style of a task takes two hours in one word and as long in any number.
# Each stage goes on where it was when the script is run again; finished ones take seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() {
    echo "scripts/smollm2.sh: $1" >&2
    exit 2
}
parts=(sentiment140 ag_news snli grid phi phi-suggestions phi-texts together phi-words phi-esnli)
part=${1:-none}
[[ " all ${parts[*]} " == *" ${part// /_} "* ]] || fail "no part '$part'; there are: all ${parts[*]}"
shift
small=
if [ "${1:-}" = --small ]; then
    small=yes
    shift
fi
data=${1:-hub} model=${2:-HuggingFaceTB/SmolLM2-135M-Instruct} out=${3:-runs/smollm2-135m}
recipes=recipes/smollm2-135m bin=.venv/bin
# Arithmetic is in bfloat16, of which not every processor core is capable; one that is trains more than twice as fast.
half=yes precision=bfloat16
[ -z "$small" ] || grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo || half= precision=float32
# A GPU writes as many replies at once as there are, a processor few; what a kill loses is one chunk.
chunk=()
[ -n "$small" ] || chunk=(--chunk 250)
# All weights, at a rate whose steps bfloat16 would lose: so they are kept in float32. A checkpoint is 1.6 GB.
whole=(--use_peft false --learning_rate 1e-4 --dtype float32 ${half:+--bf16 true} --save_steps 50)
case $part in
    all | phi | phi-suggestions | phi-texts)
        [ -d "$data" ] || fail "'$part' needs a folder of data: ComVE is on no hub"
        ;;
esac
bash scripts/setup.sh

# What a stage changes in its recipe without a GPU, behind what it is always told.
less() { [ -z "$small" ] || printf '%s\n' "$@"; }
run() {
    local stage=$1 recipe=$2
    shift 2
    case $stage in
        build | evaluate)
            "$bin/rl-faith" "$stage" --config "$recipes/$recipe.yaml" --dtype "$precision" \
                "${chunk[@]}" "$@"
            ;;
        *) "$bin/accelerate" launch ${small:+--cpu} -m "rl_faith.training.$stage" \
            --config "$recipes/$recipe.yaml" --dtype "$precision" "$@" ;;
    esac
}

self_consistency() {
    local task=$recipes/tasks/$1.yaml runs=$out/$1 labels=4000 words style budget by=()
    [ -z "$small" ] || labels=$2
    # Whether one sentence follows from another takes more labels than a mood or a topic.
    [ "$1" != snli ] || labels=$2 by=("${whole[@]}")
    run sft sft-predictions --data "$data" --tasks "$task" --model_name_or_path "$model" \
        --examples_per_task "$labels" --output_dir "$runs/predictions" "${by[@]}"
    for words in random influential; do
        run build build --data "$data" --tasks "$task" --words "$words" \
            --model_name_or_path "$runs/predictions" --out "$runs/build-$words" \
            $(less --examples_per_task 500 --quality_examples 40)
    done
    for budget in one multi; do
        for style in attribution redaction counterfactual; do
            explanations "$task" "$style" "$budget" "$runs" "$labels"
        done
    done
}

explanations() {
    local task=$1 style=$2 budget=$3 runs=$4 labels=$5 kind words start length=64 by=() explore=()
    local out=$runs/$style rewards=grpo-self-consistency
    local replay=(--replay allenai/tulu-v2-sft-mixture) how=(--styles "$style" --budgets "$budget")
    [ ! -f "$data/instruct/train.jsonl" ] || replay=(--replay "$data/instruct/train.jsonl")
    [ "$style" != attribution ] || length=16
    # Adapters learnt to write a text again unchanged: a fifth of the replies, or fewer, were valid. All weights
    # learnt to change one word in a third to two thirds, and their RL tries more texts a step, less likely replies.
    case $style in redaction | counterfactual)
        by=("${whole[@]}")
        explore=(--num_generations 8 --temperature 0.8 --learning_rate 6e-4
            --replay_predictions 16 --replay_coef 2)
        ;;
    esac
    [ "$budget" = one ] || out=$out-multi rewards=grpo-multi length=$((length + 32))
    for kind in formats sft; do
        words=influential
        [ "$kind" = sft ] || words=random
        run sft sft --model_name_or_path "$runs/predictions" --build "$runs/build-$words" \
            --tasks "$task" "${how[@]}" "${replay[@]}" "${by[@]}" --output_dir "$out/$kind" \
            $(less --replay_examples 40 --replay_predictions 480 --max_length 320)
    done
    for kind in rl sft-rl; do
        start=formats
        [ "$kind" = rl ] || start=sft
        run grpo "$rewards" --data "$data" --tasks "$task" "${how[@]}" \
            --model_name_or_path "$out/$start" --output_dir "$out/$kind" \
            --max_completion_length "$length" \
            $(less --examples_per_task 480 --skip_examples "$labels" --held_out_examples 0 \
                --eval_strategy no --eval_on_start false --per_device_train_batch_size 64 \
                --replay_predictions 8 --max_steps 60) "${explore[@]}"
    done
    run evaluate evaluate --data "$data" --tasks "$task" "${how[@]}" \
        --out "$out/evaluate" --max_new_tokens "$length" --models "zero-shot=$model" \
        "predictions=$runs/predictions" "formats=$out/formats" "sft=$out/sft" "rl=$out/rl" \
        "sft-rl=$out/sft-rl" $(less --examples_per_task 250 --ceiling_examples 0)
    report "$out/evaluate" formats
    # Labels alone are what decisions are to be held to.
    "$bin/rl-faith" audit "$out/evaluate" --baseline predictions
}

# Does what one cell taught carry over to other styles and tasks? One word. Each model knows the labels of its own task.
grid() {
    local names=(sentiment140 ag_news) tasks=() models=("zero-shot=$model") name style kind
    [ -n "$small" ] || names+=(snli)
    for name in "${names[@]}"; do
        tasks+=("$recipes/tasks/$name.yaml")
        models+=("$name-predictions=$out/$name/predictions")
        for style in attribution redaction counterfactual; do
            for kind in formats sft rl sft-rl; do
                models+=("$name-$style-$kind=$out/$name/$style/$kind")
            done
        done
    done
    run evaluate evaluate --data "$data" --tasks "${tasks[@]}" --budgets one --out "$out/grid" \
        --max_new_tokens 64 --models "${models[@]}" \
        $(less --examples_per_task 250 --ceiling_examples 0)
    report "$out/grid" zero-shot
}

# One model for all styles of both tasks, as the recipes have it: decisions of both are replayed, and each model is asked
# about every cell. In one word RL twice: by rewards of which most is the format, and by one that teaches words alone.
# Nearly every question is replayed, one to three explanations. Models of one word became brittle, those of any number did
# not: read their lift.
together() {
    together_in "$out/together" one 64 "rl formats grpo-self-consistency" \
        "sft-rl sft grpo-self-consistency" "rl-words formats grpo-words" "sft-words sft grpo-words"
    together_in "$out/together-multi" multi 96 "rl formats grpo-multi" "sft-rl sft grpo-multi"
}

together_in() {
    local runs=$1 budget=$2 length=$3 labels=$out/phi-texts/predictions
    local tasks=() models name words how kind start rewards
    local replay=(--replay allenai/tulu-v2-sft-mixture)
    shift 3
    [ ! -f "$data/instruct/train.jsonl" ] || replay=(--replay "$data/instruct/train.jsonl")
    for name in sentiment140 ag_news; do tasks+=("$recipes/tasks/$name.yaml"); done
    models=("zero-shot=$model" "predictions=$labels")
    for words in random influential; do
        run build build --data "$data" --tasks "${tasks[@]}" --words "$words" --budgets "$budget" \
            --model_name_or_path "$labels" --out "$runs/build-$words" \
            $(less --examples_per_task 300 --quality_examples 40)
        kind=formats
        [ "$words" = random ] || kind=sft
        run sft sft --model_name_or_path "$labels" --build "$runs/build-$words" --tasks "${tasks[@]}" \
            --budgets "$budget" "${replay[@]}" "${whole[@]}" --output_dir "$runs/$kind" \
            --replay_predictions 9000 $(less --replay_examples 40 --replay_predictions 600 --max_length 320)
        models+=("$kind=$runs/$kind")
    done
    for how in "$@"; do
        read -r kind start rewards <<<"$how"
        run grpo "$rewards" --data "$data" --tasks "${tasks[@]}" --model_name_or_path "$runs/$start" \
            --output_dir "$runs/$kind" --num_generations 8 --temperature 0.8 \
            --learning_rate 6e-4 --replay_predictions 16 --replay_coef 2 \
            $(less --examples_per_task 480 --skip_examples 2000 --held_out_examples 0 \
                --eval_strategy no --eval_on_start false --per_device_train_batch_size 64 --max_steps 60)
        models+=("$kind=$runs/$kind")
    done
    run evaluate evaluate --data "$data" --tasks "${tasks[@]}" --budgets "$budget" \
        --max_new_tokens "$length" --out "$runs/evaluate" --models "${models[@]}" \
        $(less --examples_per_task 250 --ceiling_examples 0)
    report "$runs/evaluate" formats
}

# What the paper trains on. Both can be decided once the model has SNLI's labels and 5,000 more of each. First told the
# truth about suggestions and words, then rewarded for either kind alone, and each asked about both: across interventions.
phi_questions() {
    local runs=$out/phi banks=$recipes/interventions task kind tasks=() tests=() both=() few=()
    for task in esnli social_iqa; do tasks+=("$recipes/tasks/$task.yaml"); done
    for task in esnli social_iqa comve strategyqa; do tests+=("$recipes/tasks/$task.yaml"); done
    if [ -n "$small" ]; then
        few=(--interventions "$banks/few-suggestions.yaml" "$banks/few-words.yaml")
        both=(--interventions "$banks/two-suggestions.yaml" "$banks/two-words.yaml")
    fi
    run sft phi-predictions --data "$data" --tasks "${tasks[@]}" \
        --model_name_or_path "$out/snli/predictions" --output_dir "$runs/predictions" \
        "${whole[@]}" $(less --examples_per_task 5000)
    run build phi-build --data "$data" --tasks "${tasks[@]}" \
        --model_name_or_path "$runs/predictions" --out "$runs/build" "${few[@]}" \
        $(less --examples_per_task 200 --pool_per_cell 240)
    # At 1e-4 and with half of these replays, decisions that the labels had taught were lost.
    run sft phi-sft --tasks "${tasks[@]}" --model_name_or_path "$runs/predictions" \
        --build "$runs/build" --output_dir "$runs/sft" "${whole[@]}" --learning_rate 5e-5 \
        $(less --replay_predictions 850)
    run build phi-build --data "$data" --tasks "${tasks[@]}" --model_name_or_path "$runs/sft" \
        --out "$runs/pool" --mentions truthful --seed 1 "${few[@]}" \
        $(less --examples_per_task 700 --pool_per_cell 800)
    run sft phi-sft --tasks "${tasks[@]}" --model_name_or_path "$runs/sft" --build "$runs/pool" \
        --output_dir "$runs/truthful" "${whole[@]}" $(less --replay_predictions 1600)
    for kind in user_bias random_word; do
        run grpo grpo-phi --tasks "${tasks[@]}" --model_name_or_path "$runs/truthful" \
            --pool "$runs/pool" --output_dir "$runs/rl-$kind" --interventions "$kind" \
            --replay_coef 2 --learning_rate 2e-4 \
            $(less --held_out_examples 0 --eval_strategy no --eval_on_start false \
                --per_device_train_batch_size 64 --num_generations 4 --max_steps 60 \
                --max_completion_length 32)
    done
    run evaluate phi-evaluate --data "$data" --tasks "${tests[@]}" --out "$runs/evaluate" \
        --models "predictions=$runs/predictions" "sft=$runs/sft" "truthful=$runs/truthful" \
        "rl-suggestions=$runs/rl-user_bias" "rl-words=$runs/rl-random_word" "${both[@]}" \
        $(less --max_new_tokens 32)
    report "$runs/evaluate" truthful
}

# Where the truth about both kinds in both tasks, read once at 1e-4, left the model silent, the truth about one kind in
# one task, read three or four times, taught it when suggestions matter.
phi_suggestions() {
    local runs=$out/phi-suggestions banks=$recipes/interventions task=$recipes/tasks/esnli.yaml
    local test how kind rate readings seed tests=() few=user_bias two=user_bias trainings=()
    for test in esnli social_iqa comve strategyqa; do tests+=("$recipes/tasks/$test.yaml"); done
    [ -z "$small" ] || few=$banks/few-suggestions.yaml two=$banks/two-suggestions.yaml
    run build phi-build --data "$data" --tasks "$task" --model_name_or_path "$out/phi/sft" \
        --out "$runs/pool" --mentions truthful --seed 1 --pool_per_cell 3000 \
        --interventions "$few"
    # Three trainings of either: one with other replays had half the phi. At half the rate, read four times, more
    # decisions stay, for the same phi.
    for how in "truthful 2e-4 3" "slow 1e-4 4"; do
        read -r kind rate readings <<<"$how"
        for seed in 0 1 2; do
            run sft phi-sft --tasks "$task" --model_name_or_path "$out/phi/sft" --build "$runs/pool" \
                --output_dir "$runs/$kind-$seed" "${whole[@]}" --learning_rate "$rate" \
                --num_train_epochs "$readings" --seed "$seed" $(less --replay_predictions 500)
            trainings+=("$kind-$seed=$runs/$kind-$seed")
        done
    done
    # Drawn anew: of insertions that the truth was told about, seven of ten groups earned alike in one run.
    run build phi-build --data "$data" --tasks "$task" --model_name_or_path "$runs/truthful-0" \
        --out "$runs/pool-rl" --seed 2 --pool_per_cell 3000 --interventions "$few" \
        $(less --examples_per_task 800)
    run grpo grpo-phi --tasks "$task" --model_name_or_path "$runs/truthful-0" \
        --pool "$runs/pool-rl" --output_dir "$runs/rl" --interventions user_bias \
        --replay_coef 2 --learning_rate 6e-4 \
        $(less --held_out_examples 0 --eval_strategy no --eval_on_start false --num_generations 4 \
            --per_device_train_batch_size 64 --max_steps 60 --max_completion_length 32)
    run evaluate phi-evaluate --data "$data" --tasks "${tests[@]}" --out "$runs/evaluate" \
        --models "sft=$out/phi/sft" "${trainings[0]}" "rl=$runs/rl" --interventions "$two" \
        $(less --max_new_tokens 32)
    report "$runs/evaluate" sft
    for seed in 0 1 2; do
        run evaluate phi-evaluate --data "$data" --tasks "$task" --seed "$seed" \
            --out "$runs/evaluate-trainings-$seed" --models "sft=$out/phi/sft" "${trainings[@]}" \
            --interventions "$two" $(less --max_new_tokens 32)
    done
    "$bin/python" scripts/over_seeds.py "$runs"/evaluate-trainings-{0,1,2} --baseline sft
}

# Suggestions beside tweets and titles, which the model can decide.
phi_texts() {
    local runs=$out/phi-texts labels=2000 few task tasks=() tests=()
    for task in sentiment140 ag_news; do tasks+=("$recipes/tasks/$task.yaml"); done
    for task in sentiment140 ag_news comve strategyqa; do tests+=("$recipes/tasks/$task.yaml"); done
    few=$(less --interventions "$recipes/interventions/few-suggestions.yaml")
    run sft phi-predictions --data "$data" --tasks "${tasks[@]}" --model_name_or_path "$model" \
        --output_dir "$runs/predictions" $(less --examples_per_task "$labels")
    run build phi-build --data "$data" --tasks "${tasks[@]}" \
        --model_name_or_path "$runs/predictions" --out "$runs/build" $few \
        $(less --examples_per_task 250 --pool_per_cell 240)
    run sft phi-sft --tasks "${tasks[@]}" --model_name_or_path "$runs/predictions" \
        --build "$runs/build" --output_dir "$runs/sft" $(less --replay_predictions 400)
    # The warm start moves decisions: what mattered is asked again of the model that RL begins with.
    run build phi-build --data "$data" --tasks "${tasks[@]}" --model_name_or_path "$runs/sft" \
        --out "$runs/pool" $few $(less --examples_per_task 300 --pool_per_cell 300)
    run grpo grpo-phi --tasks "${tasks[@]}" --model_name_or_path "$runs/sft" --pool "$runs/pool" \
        --output_dir "$runs/rl" $(less --interventions user_bias --held_out_examples 0 \
            --eval_strategy no --eval_on_start false --per_device_train_batch_size 64 \
            --num_generations 8 --replay_predictions 8 --max_steps 60)
    run evaluate phi-evaluate --data "$data" --tasks "${tests[@]}" --out "$runs/evaluate" \
        --models "predictions=$runs/predictions" "sft=$runs/sft" "rl=$runs/rl" $few \
        $(less --examples_per_task 84)
    report "$runs/evaluate" sft
    # Across interventions: words, where RL (with --small) was paid for suggestions alone. Of 42 texts phi was
    # 0.21 (0.00 to 0.42), of 250 it was 0.03 (-0.05 to 0.11).
    run evaluate phi-evaluate --data "$data" --tasks "${tasks[@]}" --out "$runs/evaluate-words" \
        --models "sft=$runs/sft" "rl=$runs/rl" \
        --interventions "$recipes/interventions/charged-words.yaml" $(less --examples_per_task 250)
    report "$runs/evaluate-words" sft
}

# Words of $banks inserted in the texts of $task: the model asked, the folder in $runs, the bank of words, texts,
# insertions kept, seed, mentions.
inserted() {
    run build phi-build --data "$data" --tasks "$task" --model_name_or_path "$1" --out "$runs/$2" \
        --interventions "$banks/$3.yaml" --examples_per_task "$4" --pool_per_cell "$5" \
        --seed "$6" --mentions "$7"
}

# First told the truth about words of the lexicon, then rewarded for words that matter more often.
phi_words() {
    local runs=$out/phi-words labels=$out/phi-texts/predictions task=$recipes/tasks/sentiment140.yaml
    local banks=$recipes/interventions words=few-words n=500 warm=400
    [ -n "$small" ] || n=1500 warm=1500
    inserted "$labels" build $words $n $warm 0 random
    run sft phi-sft --tasks "$task" --model_name_or_path "$labels" --build "$runs/build" \
        --output_dir "$runs/sft" $(less --replay_predictions 300)
    inserted "$runs/sft" truths $words $((n * 9 / 5)) $((warm * 2)) 1 truthful
    run sft phi-sft --tasks "$task" --model_name_or_path "$runs/sft" --build "$runs/truths" \
        --output_dir "$runs/truthful" --num_train_epochs 2 $(less --replay_predictions 300)
    inserted "$runs/truthful" pool charged-words $n $((warm * 2)) 2 random
    run grpo grpo-phi --tasks "$task" --model_name_or_path "$runs/truthful" --pool "$runs/pool" \
        --output_dir "$runs/rl" --interventions random_word --replay_coef 2 \
        $(less --held_out_examples 0 --eval_strategy no --eval_on_start false --num_generations 8 \
            --per_device_train_batch_size 64 --replay_predictions 16 --max_steps 36 \
            --max_completion_length 24)
    run evaluate phi-evaluate --data "$data" --tasks "$task" --out "$runs/evaluate" \
        --models "sft=$runs/sft" "truthful=$runs/truthful" "rl=$runs/rl" \
        --interventions "$banks/charged-words.yaml" "$banks/charged-words-held-out.yaml" \
        $(less --examples_per_task 200)
    report "$runs/evaluate" truthful
}

# The only questions of the paper that this model can decide, once it knows SNLI's labels: e-SNLI's are
# pairs of SNLI's other splits. A word matters mostly in the second sentence of a pair.
phi_esnli() {
    local runs=$out/phi-esnli task=$recipes/tasks/esnli.yaml banks=$recipes/interventions n=450 all=900
    [ -n "$small" ] || n=1500 all=3000
    run sft phi-predictions --data "$data" --tasks "$task" \
        --model_name_or_path "$out/snli/predictions" --output_dir "$runs/predictions" \
        "${whole[@]}" $(less --examples_per_task 1600)
    inserted "$runs/predictions" build few-words 250 400 0 random
    run sft phi-sft --tasks "$task" --model_name_or_path "$runs/predictions" \
        --build "$runs/build" --output_dir "$runs/sft" "${whole[@]}" $(less --replay_predictions 300)
    inserted "$runs/sft" pool few-words $n $all 1 truthful
    run sft phi-sft --tasks "$task" --model_name_or_path "$runs/sft" --build "$runs/pool" \
        --output_dir "$runs/truthful" "${whole[@]}" --num_train_epochs 3 \
        $(less --replay_predictions 300)
    # At 3e-4 decisions left within twelve steps.
    run grpo grpo-phi --tasks "$task" --model_name_or_path "$runs/truthful" --pool "$runs/pool" \
        --output_dir "$runs/rl" --interventions random_word --replay_coef 2 --learning_rate 1e-4 \
        $(less --held_out_examples 0 --eval_strategy no --eval_on_start false --num_generations 8 \
            --per_device_train_batch_size 64 --replay_predictions 16 --max_steps 40 \
            --max_completion_length 24)
    run evaluate phi-evaluate --data "$data" --tasks "$task" --out "$runs/evaluate" \
        --models "sft=$runs/sft" "truthful=$runs/truthful" "rl=$runs/rl" \
        --interventions "$banks/few-words.yaml" --max_new_tokens 24 $(less --examples_per_task 84)
    report "$runs/evaluate" sft
}

report() {
    "$bin/rl-faith" compare "$1" --baseline "$2" --report "$1-report"
    "$bin/rl-faith" audit "$1" --baseline "$2"
}

one_part() {
    case $1 in
        sentiment140) self_consistency "$1" 3000 ;;
        ag_news) self_consistency "$1" 2000 ;;
        snli) self_consistency "$1" 5200 ;;
        grid) grid ;;
        phi) phi_questions ;;
        phi-suggestions) phi_suggestions ;;
        phi-texts) phi_texts ;;
        together) together ;;
        phi-words) phi_words ;;
        phi-esnli) phi_esnli ;;
    esac
}

[ "$part" = all ] || parts=("$part")
for part in "${parts[@]}"; do one_part "$part"; done
