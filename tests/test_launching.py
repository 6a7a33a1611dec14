"""Which configuration a recipe is started with, and what the configurations hold."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import DistributedType
from transformers import LlamaConfig

from rl_faith.errors import RecipeError, RunError
from rl_faith.launching import plan
from rl_faith.sizing import Training, count_weights

CONFIGS = sorted(Path("ds_configs").glob("*.yaml"))
README = Path("ds_configs/README.md").read_text()


# The configurations


def test_there_are_configurations():
    assert {path.stem for path in CONFIGS} == {
        "single", "ddp", "zero1", "zero2", "zero3", "zero3-offload", "zero2-cpu", "zero3-cpu",
        "multi-node",
    }  # fmt: skip


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_accelerate_reads(path):
    assert isinstance(load_config_from_file(str(path)), ClusterConfig)


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_every_deepspeed_key_is_one_of_accelerate(path):
    """Accelerate passes over a key that it does not know without a word."""
    known = {action.dest for action in launch_command_parser()._actions}
    assert load_config_from_file(str(path)).deepspeed_config.keys() <= known


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_name_tells_the_stage(path):
    config = load_config_from_file(str(path))
    assert (config.distributed_type == DistributedType.DEEPSPEED) == (
        "zero_stage" in config.deepspeed_config
    )
    if path.stem.startswith("zero"):
        assert config.deepspeed_config["zero_stage"] == int(path.stem[4])


@pytest.mark.parametrize("path", [p for p in CONFIGS if "zero_stage: 3" in p.read_text()], ids=str)
def test_checkpoint_under_zero3_holds_the_model(path):
    assert load_config_from_file(str(path)).deepspeed_config["zero3_save_16bit_model"] is True


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_readme_names(path):
    assert f"`{path.name}`" in README


# The arithmetic of the README


def table(heading):
    """The rows of the README's table that begins with these columns."""
    lines = README[README.index(heading) :].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[: next(i for i, line in enumerate(lines) if not line)]


def cells(heading):
    """What a table says: weights, what is trained, the column, the cell."""
    head, _, *rows = table(heading)
    return [
        (int(row[0]) * 10**9, row[1], column.strip("`"), cell.strip("`"))
        for row in rows
        for column, cell in zip(head[2:], row[2:], strict=True)
        if cell
    ]


@pytest.mark.parametrize(
    ("weights", "trained", "config", "told"), cells("| weights, 10⁹ | trained")
)
def test_memory_is_as_the_readme_says(weights, trained, config, told):
    need = Training(weights, 2, trained == "adapter").need(config, 8)
    assert f"{need / 1e9:.1f}" == told


@pytest.mark.parametrize(("weights", "stage", "memory", "told"), cells("| weights, 10⁹ | stage"))
def test_choice_is_as_the_readme_says(weights, stage, memory, told):
    training = Training(
        weights, 2, "adapter" in stage, asks="no vLLM" in stage, engine=0.3 * ("inside" in stage)
    )
    assert training.config(8, float(memory.removesuffix(" GB")) * 1e9) == told


def test_weights_of_an_adapter_are_those_of_its_base(adapter):
    assert count_weights(str(adapter)) == count_weights("toy") > 10**6


# scripts/launch.sh


@pytest.fixture
def recipe(tmp_path):
    """A recipe for a model of Llama 3.1's 8B shape, of which only the configuration is there."""
    LlamaConfig(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=128256, architectures=["LlamaForCausalLM"],
    ).save_pretrained(tmp_path / "model")  # fmt: skip

    def write(stage, **changed):
        shipped = f"recipes/llama3.1-8b/{stage}.yaml"
        content = yaml.safe_load(Path(shipped).read_text())
        name = "models" if stage == "evaluate" else "model_name_or_path"
        content[name] = ["a=toy"] if stage == "evaluate" else str(tmp_path / "model")
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**content, **changed}))
        return tmp_path / "recipe.yaml"

    return write


NVIDIA_SMI = """
last={last} asked="${{*: -1}}"
[[ $asked == --id=* ]] && commas=${{asked//[^,]/}} && last=${{#commas}}
for i in $(seq 0 $last); do [[ $* == *index* ]] && echo $i || echo {mib}; done
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with so many GPUs of so many MiB, as the nvidia-smi on its PATH tells."""

    def with_gpus(count, mib=81559):
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        write_tool(tools / "nvidia-smi", NVIDIA_SMI.format(last=count - 1, mib=mib))
        monkeypatch.setenv("PATH", str(tools), prepend=":")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return with_gpus


def write_tool(path, body):
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)


def chosen(arguments):
    """The configuration and the number of processes."""
    told = plan([*map(str, arguments)])
    return Path(told[1]).stem, int(told[3])


@pytest.mark.parametrize(
    ("gpus", "stage", "more", "wanted"),
    [
        ((8, 81559), "sft", (), ("ddp", 8)),
        ((8, 16384), "sft", (), ("zero3", 8)),
        ((8, 81559), "sft", ("--use_peft", "false"), ("zero1", 8)),
        ((4, 65536), "sft", ("--use-peft=false",), ("zero2", 4)),
        ((1, 81559), "sft", (), ("single", 1)),
        ((1, 16384), "sft", (), ("zero3-offload", 1)),
        ((8, 32768), "grpo-self-consistency", (), ("zero3", 8)),
        ((8, 32768), "grpo-self-consistency", ("--vllm_mode", "server"), ("ddp", 8)),
        ((8, 81559), "build", (), ("ddp", 8)),
        ((8, 81559), "build", ("--policy", "vllm"), ("single", 1)),
        ((1, 81559), "evaluate", (), ("single", 1)),
    ],
    ids=str,
)
def test_configuration_follows_devices_and_stage(machine, recipe, gpus, stage, more, wanted):
    machine(*gpus)
    assert chosen([recipe(stage), *more]) == wanted


def test_only_the_gpus_that_are_visible_count(machine, recipe, monkeypatch):
    machine(8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert chosen([recipe("sft")]) == ("ddp", 2)


def test_without_a_gpu_there_is_one_process(recipe, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert chosen([recipe("sft")]) == ("single", 1)


def test_nvidia_smi_that_fails_is_told(recipe, tmp_path, monkeypatch):
    write_tool(tmp_path / "nvidia-smi", "echo 'Driver/library version mismatch'; exit 18")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(RunError, match="cannot list the GPUs: Driver/library version mismatch"):
        plan([str(recipe("sft"))])


def test_override_that_the_stage_does_not_know_is_refused(recipe):
    with pytest.raises(RecipeError, match="did you mean 'use_peft'"):
        plan([str(recipe("sft")), "--use_pft", "false"])


@pytest.fixture
def launch(tmp_path):
    """Run launch.sh in an environment whose `accelerate launch` does nothing."""
    (tmp_path / "venv/bin").mkdir(parents=True)
    write_tool(
        tmp_path / "venv/bin/python",
        f'[[ $* == *accelerate.commands.launch* ]] && exit 0\nexec {sys.executable} "$@"',
    )

    def run(*arguments, **surroundings):
        environment = {**os.environ, "VENV": str(tmp_path / "venv"), **surroundings}
        return subprocess.run(
            ["bash", "scripts/launch.sh", *map(str, arguments)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_command_is_printed_with_the_recipe_and_the_overrides(launch, recipe):
    path = recipe("sft")
    told = launch(path, "--seed", "3", CUDA_VISIBLE_DEVICES="").stdout
    assert "--config_file ds_configs/single.yaml --num_processes 1" in told
    assert told.rstrip().endswith(f"-m rl_faith.training.sft --config {path} --seed 3")


def test_launch_without_a_recipe_says_what_is_missing(launch):
    done = launch()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: name a recipe: scripts/launch.sh RECIPE")


def test_launch_without_an_environment_says_what_to_run(launch, tmp_path):
    done = launch("recipes/toy/sft.yaml", VENV=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "run scripts/setup.sh first, or set VENV" in done.stderr


# scripts/slurm


@pytest.mark.parametrize("path", sorted(Path("scripts").rglob("*.sh")), ids=str)
def test_shell_parses(path):
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("script", ["one_node", "many_nodes"])
@pytest.mark.parametrize(
    ("arguments", "surroundings", "told"),
    [
        ((), {}, "error: name a recipe: sbatch SCRIPT RECIPE [--key value ...]"),
        (("r.yaml",), {"SLURM_JOB_ID": ""}, "error: this is no Slurm job; start it with sbatch"),
        (("r.yaml",), {"VENV": "none"}, "error: there is no none/bin/python in "),
        (("r.yaml",), {}, "error: recipe r.yaml cannot be read: No such file"),
        (("recipes/toy/sft.yaml",), {}, " has no nvidia-smi; ask Slurm for GPUs"),
        (("r.yaml",), {"SLURM_SUBMIT_DIR": "/"}, "error: / is no checkout of rl-faith"),
    ],
    ids=["no recipe", "no job", "no environment", "no such recipe", "no GPU", "no checkout"],
)  # fmt: skip
def test_job_ends_with_a_sentence(tmp_path, script, arguments, surroundings, told):
    (tmp_path / "bin").mkdir()
    write_tool(tmp_path / "bin/python", f'exec {sys.executable} "$@"')
    for tool in ("bash", "hostname"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    here = {"VENV": str(tmp_path), "SLURM_JOB_ID": "1", "PATH": str(tmp_path / "bin")}
    done = subprocess.run(
        ["bash", f"scripts/slurm/{script}.sh", *arguments],
        env={**os.environ, **here, **surroundings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


PYTHON = """
case "$*" in
*accelerate.commands.launch*) echo "$CUDA_VISIBLE_DEVICES $*" >>{log} ;;
*vllm.entrypoints*) echo "$CUDA_VISIBLE_DEVICES $*" >>{log} && exec /bin/sleep 60 ;;
*is_available* | *"import vllm"* | *"import deepspeed"*) ;;
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def submitted(tmp_path, machine):
    """Run a job on nodes of eight GPUs; return what server and trainer were started with."""

    def run(script, *arguments, **surroundings):
        machine(8)
        (tmp_path / "bin").mkdir()
        log, tools = tmp_path / "log", tmp_path / "tools"
        write_tool(tmp_path / "bin/python", PYTHON.format(log=log, python=sys.executable))
        write_tool(tools / "curl", f"[ -f {log} ]")
        write_tool(tools / "sleep", "")
        write_tool(tools / "scontrol", "printf 'node%s\\n' 1 2 3")
        write_tool(
            tools / "srun", 'while [ $1 != bash ]; do shift; done\nexec env SLURM_NODEID=1 "$@"'
        )
        given = {"VENV": str(tmp_path), "SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "node[1-3]"}
        subprocess.run(
            ["bash", f"scripts/slurm/{script}.sh", *map(str, arguments)],
            env={**os.environ, **given, **surroundings}, check=True,
        )  # fmt: skip
        return log.read_text().splitlines()

    return run


@pytest.mark.slow
def test_one_node_keeps_gpus_for_a_server(submitted, recipe):
    server, trainer = submitted("one_node", recipe("grpo-self-consistency"), SERVER_GPUS="2")
    assert server.startswith("6,7 ")
    assert "--tensor-parallel-size 2" in server
    assert trainer.startswith("0,1,2,3,4,5 ")
    assert "--num_processes 6" in trainer
    assert trainer.endswith("--vllm_mode server --vllm_server_base_url http://127.0.0.1:8000")


@pytest.mark.slow
def test_last_of_many_nodes_serves_and_the_others_train(submitted, recipe):
    server, trainer = submitted("many_nodes", recipe("grpo-self-consistency"))
    assert "--tensor-parallel-size 8" in server
    assert "--machine_rank 1 --num_machines 2 --num_processes 16" in trainer
    assert "--main_process_ip node1 -m rl_faith.training.grpo" in trainer
    assert trainer.endswith("--vllm_server_base_url http://node3:8000")
