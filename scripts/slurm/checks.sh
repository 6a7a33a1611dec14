# Read by the scripts beside it: what a job needs before it spends its GPUs, and a server for it.
# A check that fails ends the job with one sentence.

stop() {
    echo "error: $1" >&2
    exit 2
}

# Called as: prepare RECIPE [--key value ...]. Sets `python` and `gpus`, the devices of this node.
prepare() {
    python=${VENV:-.venv}/bin/python
    [ $# -gt 0 ] || stop "name a recipe: sbatch SCRIPT RECIPE [--key value ...]"
    [ -n "${SLURM_JOB_ID:-}" ] || stop "this is no Slurm job; start it with sbatch"
    [ -x "$python" ] || stop "there is no $python in $PWD; run scripts/setup.sh, or set VENV"
    value stage "$@" >/dev/null || exit 2
    command -v nvidia-smi >/dev/null || stop "$(hostname) has no nvidia-smi; ask Slurm for GPUs"
    "$python" -c "import sys, torch; sys.exit(not torch.cuda.is_available())" ||
        stop "torch sees no GPU on $(hostname); ask Slurm for GPUs, and install torch with CUDA"
    local all
    all=$(nvidia-smi --query-gpu=index --format=csv,noheader | paste -sd,)
    IFS=, read -ra gpus <<<"${CUDA_VISIBLE_DEVICES:-$all}"
}

# Called as: needs PACKAGE EXTRA
needs() {
    "$python" -c "import $1" 2>/dev/null || stop "$1 is missing; run: bash scripts/setup.sh $2"
}

# What a recipe with its overrides says, empty for nothing: value KEY RECIPE [--key value ...]
value() {
    "$python" -c "import sys
from rl_faith.errors import exit_on_error
from rl_faith.launching import values_of
with exit_on_error():
    print(values_of(sys.argv[2:])[1].get(sys.argv[1], ''))" "$@"
}

# The whole model beneath adapters. Its weights are only a start for the server: the trainer sends
# its own before it asks.
base_model() {
    "$python" -c "import sys
from rl_faith.policies.loading import base_of, resolve
name = sys.argv[1]
while base := base_of(name):
    name = base
print(resolve(name))" "$1"
}

# Becomes a vLLM server as TRL's trainer asks it: serve HOST PORT GPUS MODEL
serve() {
    exec env VLLM_SERVER_DEV_MODE=1 "$python" -m vllm.entrypoints.cli.main serve "$4" \
        --host "$1" --port "$2" --tensor-parallel-size "$3" --max-model-len=-1 \
        --max-logprobs=-1 --logprobs-mode processed_logprobs \
        --weight-transfer-config '{"backend": "nccl"}'
}

# Returns once the server answers; ends the job if its process does first: wait_for URL PROCESS
wait_for() {
    until curl --silent --fail --noproxy '*' --output /dev/null "$1/health"; do
        kill -0 "$2" 2>/dev/null || stop "the vLLM server ended before it answered; its log is above"
        sleep 5
    done
}
