#!/usr/bin/env bash
#SBATCH --job-name=rl-faith
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
# A training divided over the GPUs of several nodes (ZeRO-3); submit it from the root of a checkout
# that all of them see:
#     sbatch --nodes=3 scripts/slurm/many_nodes.sh RECIPE [--key value ...]
# Where a GRPO recipe has `use_vllm`, the last node runs its server, at PORT (8000), and the others train. It
# can be reached, and its weights set, by whoever can reach the node.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"
if [ ! -f scripts/slurm/checks.sh ]; then
    echo "error: $PWD is no checkout of rl-faith; submit from the root of one" >&2
    exit 2
fi
source scripts/slurm/checks.sh
prepare "$@"
needs deepspeed deepspeed
stage=$(value stage "$@")
[[ $stage == sft || $stage == grpo ]] || stop "$1 is for $stage; only training takes many nodes"
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=${PORT:-8000}
more=()
if [ "$stage" = grpo ] && [ "$(value use_vllm "$@")" = True ]; then
    needs vllm vllm
    ((${#nodes[@]} > 1)) || stop "one node is too few for training and server; take one_node.sh"
    last=${nodes[-1]}
    unset 'nodes[-1]'
    model=$(base_model "$(value model_name_or_path "$@")")
    export python
    export -f serve
    srun --nodes=1 --ntasks=1 --nodelist="$last" \
        bash -c 'serve "$@"' serve 0.0.0.0 "$port" "${#gpus[@]}" "$model" &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    wait_for "http://$last:$port" "$server"
    more=(--vllm_mode server --vllm_server_base_url "http://$last:$port")
fi
count=${#nodes[@]}
launch=("$python" -m accelerate.commands.launch --config_file ds_configs/multi-node.yaml)
command=(
    --num_machines "$count" --num_processes $((count * ${#gpus[@]}))
    --main_process_ip "${nodes[0]}" -m "rl_faith.training.$stage" --config "$@" "${more[@]}"
)
printf "%q " "${launch[@]}" --machine_rank N "${command[@]}" && echo
# Each node knows its number only once it runs.
srun --nodes="$count" --ntasks="$count" --nodelist="$(IFS=, && echo "${nodes[*]}")" \
    bash -c 'exec "${@:1:5}" --machine_rank "$SLURM_NODEID" "${@:6}"' - \
    "${launch[@]}" "${command[@]}"
