"""Does the policy still decide as it did before the training?"""

from collections.abc import Callable, Sequence

from rl_faith.questions import Answer, Prediction, Question


def prediction_stability(
    questions: Sequence[Question],
    initial_prediction: Sequence[str],
    repredict: Callable[[Sequence[Question]], Sequence[Answer]],
) -> list[float | None]:
    """Pay p(initial label | unedited input), in [0, 1] (ours).

    Nothing that a single reply says changes it, so all replies to one prompt earn the same and a
    group-relative advantage does not see it. It is there to be logged, to set a threshold on, and
    for trainers that compare across prompts; what holds decisions in place within GRPO is
    `replay_predictions` in the recipe.

    Args:
        questions: The label question about each unedited input.
        initial_prediction: The labels before training.
        repredict: Asks the policy in training.
    """
    answers = repredict(questions)
    return [
        answer.probability(label) if isinstance(answer, Prediction) else None
        for answer, label in zip(answers, initial_prediction, strict=True)
    ]
