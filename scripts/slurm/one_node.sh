#!/usr/bin/env bash
#SBATCH --job-name=rl-faith
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
# A recipe on the GPUs of one node; submit it from the root of the checkout:
#     sbatch scripts/slurm/one_node.sh RECIPE [--key value ...]
# SERVER_GPUS=2 sbatch ... keeps the last two for a vLLM server, which GRPO asks,
# at PORT (8000).
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"
if [ ! -f scripts/slurm/checks.sh ]; then
    echo "error: $PWD is no checkout of rl-faith; submit from the root of one" >&2
    exit 2
fi
source scripts/slurm/checks.sh
prepare "$@"
kept=${SERVER_GPUS:-0}
port=${PORT:-8000}
more=()
if ((kept > 0)); then
    needs vllm vllm
    [ "$(value stage "$@")" = grpo ] || stop "SERVER_GPUS is for GRPO, and $1 is another stage"
    left=$((${#gpus[@]} - kept))
    ((left > 0)) || stop "SERVER_GPUS=$kept leaves none of ${#gpus[@]} GPUs for training"
    model=$(base_model "$(value model_name_or_path "$@")")
    CUDA_VISIBLE_DEVICES=$(IFS=, && echo "${gpus[*]:left}") \
        serve 127.0.0.1 "$port" "$kept" "$model" &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    wait_for "http://127.0.0.1:$port" "$server"
    CUDA_VISIBLE_DEVICES=$(IFS=, && echo "${gpus[*]:0:left}")
    export CUDA_VISIBLE_DEVICES
    more=(--use_vllm true --vllm_mode server --vllm_server_base_url "http://127.0.0.1:$port")
fi
bash scripts/launch.sh "$@" "${more[@]}"
