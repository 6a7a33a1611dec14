"""What `test_sharding.py` launches in one process and in several: stages from a list.

accelerate launch --config_file FILE tests/sharded.py JOBS.json
"""

import json
import sys
from pathlib import Path

from accelerate import PartialState
from deepspeed import ops
from trl import GRPOConfig, SFTConfig

from rl_faith import cli
from rl_faith.questions import Question, user
from rl_faith.training import grpo, sft
from rl_faith.training.arguments import parse_training

# Without this operation the processes talk through gloo, and nothing has to be compiled.
ops.__compatible_ops__["deepspeed_shm_comm"] = False


def fine_tune(told):
    """The stage as its command runs it."""
    sft.train(*parse_training("sft", told, SFTConfig))


def reinforce(told):
    """The stage with rollouts that any number of processes would write alike."""
    recipe, args, model_args, _ = parse_training("grpo", told, GRPOConfig)
    trainer = grpo.make_trainer(recipe, args, model_args)
    trainer.rollout_func = written
    trainer.train()
    ask_unevenly(trainer)
    trainer.save_model(args.output_dir)
    trainer.save_state()


def written(prompts, trainer):
    """The k-th reply of a group names the k-th word of the text that the prompt is about."""
    tokenizer = trainer.processing_class
    replies = [f"Answer: {word(p, i % trainer.num_generations)}" for i, p in enumerate(prompts)]
    ids = [tokenizer.encode(reply, add_special_tokens=False) for reply in replies]
    told = tokenizer.apply_chat_template(prompts, add_generation_prompt=True)["input_ids"]
    ended = [[*reply, tokenizer.eos_token_id] for reply in ids]
    return {"prompt_ids": told, "completion_ids": ended, "logprobs": None}


def word(prompt, number):
    """Of the first line, "Text: ..."."""
    words = prompt[0]["content"].splitlines()[0].split()[1:]
    return words[number % len(words)]


def ask_unevenly(trainer):
    """Ask as many new questions as the rank is high: the first process has none."""
    task = next(iter(trainer.panel.tasks.values()))
    rank = trainer.accelerator.process_index
    asked = [Question((user("Text: a good day" + "!" * i),), task.label_words) for i in range(rank)]
    predicted = trainer.live.predict(asked)
    replies = trainer.live.generate([q.conversation for q in asked], max_new_tokens=4)
    assert (len(predicted), len(replies)) == (rank, rank)


def main():
    """Run the stages and tell how many processes did."""
    run = {
        "evaluate": lambda told: cli.main(["evaluate", *told]),
        "sft": fine_tune,
        "grpo": reinforce,
    }
    for stage, told in json.loads(Path(sys.argv[1]).read_text()):
        run[stage](told)
    sys.stdout.write(f"processes: {PartialState().num_processes}\n")


if __name__ == "__main__":
    main()
