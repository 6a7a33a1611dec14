"""Several processes and machines together leave what one leaves, row for row."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import assert_same

from rl_faith.cli import main
from rl_faith.runs import read_rows

pytestmark = pytest.mark.slow

COMMANDS = {
    "build": [
        *("build", "--config", "recipes/toy/build.yaml", "--tasks", "sentiment140", "snli"),
        *("--examples_per_task", "7", "--quality_examples", "2", "--chunk", "2"),
    ],
    "pool": ["build", "--config", "recipes/toy/phi-build.yaml", "--examples_per_task", "5"],
    "grid": [
        *("evaluate", "--config", "recipes/toy/evaluate.yaml", "--models", "a=toy", "b=toy"),
        *("--tasks", "sentiment140", "--examples_per_task", "5", "--chunk", "2"),
    ],
    "phi": [
        *("evaluate", "--config", "recipes/toy/phi-evaluate.yaml", "--models", "a=toy-errands"),
        *("--examples_per_task", "5"),
    ],
    # Some processes get nothing to do.
    "few": [
        *("evaluate", "--config", "recipes/toy/evaluate.yaml", "--models", "a=toy"),
        *("--tasks", "snli", "--examples_per_task", "2"),
    ],
}
COUNTED = ["questions", "replies"]

# Runs every command in one launch, and tells how many processes did.
PROGRAM = """
import json, sys
from pathlib import Path
from accelerate import PartialState
from rl_faith.cli import main

out, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
for name, command in commands.items():
    main([*command, "--out", str(out / name)])
state = PartialState()
(out / f"world-{state.process_index}").write_text(str(state.num_processes))
"""


def launch(*arguments):
    """Start torchrun; return the process."""
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    surroundings = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen(command, env=surroundings, **pipes)


def told(folder, out, commands):
    """The program and its arguments."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return [program, out, json.dumps(commands)]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    out = tmp_path_factory.mktemp("one")
    for name, command in COMMANDS.items():
        main([*command, "--out", str(out / name)])
    return out


@pytest.fixture(scope="module", params=["three processes", "two machines"])
def several(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("several")
    program = told(out, out, COMMANDS)
    if request.param == "three processes":
        started = [launch("--nproc_per_node=3", "--standalone", *program)]
    else:
        # Two launches on this machine that meet as two machines do.
        meeting = ["--nnodes=2", "--nproc_per_node=1", "--master_addr=127.0.0.1"]
        port = f"--master_port={29500 + os.getpid() % 1000}"
        started = [launch(*meeting, port, f"--node_rank={rank}", *program) for rank in (0, 1)]
    for process in started:
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said
    world = {path.read_text() for path in out.glob("world-*")}
    assert world == {"3" if request.param == "three processes" else "2"}
    return out


@pytest.mark.parametrize("name", COMMANDS)
def test_rows_are_those_of_one_process(one, several, name):
    found, wanted = (read_rows(out / name / "instances.jsonl") for out in (several, one))
    assert_same(found, wanted)


@pytest.mark.parametrize("name", ["build", "pool"])
def test_training_data_are_those_of_one_process(one, several, name):
    found, wanted = (read_rows(out / name / "train.jsonl") for out in (several, one))
    assert_same(found, wanted)


@pytest.mark.parametrize("name", COMMANDS)
def test_cells_have_the_names_and_counts_of_one_process(one, several, name):
    found, wanted = (
        [
            {key: value for key, value in cell.items() if isinstance(value, str | int)}
            for cell in json.loads((out / name / "results.json").read_text())["cells"]
        ]
        for out in (several, one)
    )
    assert found == wanted


@pytest.mark.parametrize("name", COMMANDS)
def test_counts_of_all_processes_are_summed(one, several, name):
    found, wanted = (
        json.loads((out / name / "results.json").read_text())["throughput"]
        for out in (several, one)
    )
    assert {m: [taken[c] for c in COUNTED] for m, taken in found.items()} == {
        m: [taken[c] for c in COUNTED] for m, taken in wanted.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_other_processes_are_merged(several, name):
    assert not list((several / name).glob("instances-*"))


def test_machines_without_a_common_disk_are_told_so(tmp_path):
    script = told(tmp_path, tmp_path / "here", {"few": COMMANDS["few"]})
    elsewhere = [script[0], tmp_path / "there", script[2]]
    (tmp_path / "there" / "few").mkdir(parents=True)
    meeting = ["--nnodes=2", "--nproc_per_node=1", "--master_addr=127.0.0.1"]
    port = f"--master_port={30500 + os.getpid() % 1000}"
    started = [
        launch(*meeting, port, f"--node_rank={rank}", *program)
        for rank, program in enumerate((script, elsewhere))
    ]
    said = [process.communicate(timeout=600)[0] for process in started]
    assert started[0].returncode != 0
    assert "lacks 3 of 6 rows that other processes wrote: give --out a folder" in said[0]
