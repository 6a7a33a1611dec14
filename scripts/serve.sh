#!/usr/bin/env bash
# Starts a vLLM server for recipes with `policy: server`, and returns when it answers:
#     scripts/serve.sh MODEL [FLAGS OF vllm serve]
# MODEL is what the recipe names: a Hub id, a folder, a LoRA adapter (served from its base model, and
# the base model with it), or "toy". Further adapters: --enable-lora --lora-modules NAME=FOLDER.
# For the numbers of `policy: transformers` give the recipe's dtype: --dtype float32.
# Several servers: --port for each, and CUDA_VISIBLE_DEVICES. Set VENV to where rl-faith[vllm] is.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?usage: scripts/serve.sh MODEL [FLAGS OF vllm serve]}
shift
python=${VENV:-.venv}/bin/python
port=8000
given=("$@")
for ((i = 0; i < $#; i++)); do
    case ${given[i]} in
    --port) port=${given[i + 1]:-} ;;
    --port=*) port=${given[i]#--port=} ;;
    esac
done
folder=${TMPDIR:-/tmp}/rl-faith-serve-$port
mkdir -p "$folder"
log=$folder/server.log

# Another server there would answer in place of this one.
answers() { "$python" -c "
import sys, urllib.request as web
web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:$port/health', timeout=2)" 2>/dev/null; }
if answers; then
    echo "error: something answers on port $port already; choose another --port" >&2
    exit 1
fi
flags=$("$python" -m rl_faith.policies.serving "$model" "$folder/merged")
mapfile -t flags <<<"$flags"
command=("$python" -m vllm.entrypoints.cli.main serve)
# vLLM's CPU build does not find its own name, and its command fails for that.
"$python" -c "from importlib.metadata import version; version('vllm')" 2>/dev/null ||
    command=("$python" -m vllm.entrypoints.openai.api_server)
nohup "${command[@]}" "${flags[@]}" --port "$port" "$@" >"$log" 2>&1 &
server=$!
until answers; do
    if ! kill -0 "$server" 2>/dev/null; then
        echo "error: the server ended before it answered; the end of $log says why" >&2
        exit 1
    fi
    sleep 1
done
echo "$model answers at http://127.0.0.1:$port (stop it with: kill $server; its log: $log)"
