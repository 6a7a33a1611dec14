"""Does the policy still decide as it did before the training?"""

from collections.abc import Callable, Sequence

from rl_faith.questions import Answer, Prediction, Question
from rl_faith.tasks import Example, load_task


def prediction_stability(
    task: Sequence[str],
    id: Sequence[str],  # noqa: A002 - the column's name
    input: Sequence[str],  # noqa: A002
    context: Sequence[str],
    initial_prediction: Sequence[str],
    repredict: Callable[[Sequence[Question]], Sequence[Answer]],
) -> list[float | None]:
    """Pay p(initial label | unedited input), in [0, 1] (ours).

    Nothing that a single reply says changes it, so all replies to one prompt earn the same and a
    group-relative advantage does not see it. It is there to be logged, to set a threshold on, and
    for trainers that compare across prompts; what holds decisions in place within GRPO is `beta`.

    Args:
        task: Task names, one for each completion, as the other columns.
        id: Example ids.
        input: Unedited inputs.
        context: Their fixed second texts.
        initial_prediction: The labels before training.
        repredict: Asks the policy in training.
    """
    asked = [
        load_task(name).ask(Example(key, text, label, more))
        for name, key, text, more, label in zip(
            task, id, input, context, initial_prediction, strict=True
        )
    ]
    answers = repredict(asked)
    return [
        answer.probability(label) if isinstance(answer, Prediction) else None
        for answer, label in zip(answers, initial_prediction, strict=True)
    ]
