"""What a report is made of, made up: rows and runs whose truth is known."""

import json

from rl_faith.report.material import Material, prepare
from rl_faith.report.reading import Read


def row(model, i, faithful, **given):
    return {
        "model": model, "task": "snli", "style": "attribution", "budget": "one", "id": str(i),
        "input": f"one two three {i}", "context": "", "gold": "Yes", "prediction": "Yes",
        "status": "valid", "reason": "", "words": ["one"], "count": 1, "faithful": faithful,
        "reply": "Answer: one", "drop": None, "control": 0.1, "ceiling": True,
    } | given  # fmt: skip


def rows(model, rate, n=200, **given):
    """Rows of which a share of `rate` is faithful, spread over the examples."""
    flags = [int((i + 1) * rate) > int(i * rate) for i in range(n)]
    return [row(model, i, flag, **given) for i, flag in enumerate(flags)]


def insertion(model, i, impact, mentioned, **given):
    return {
        "model": model, "task": "strategyqa", "intervention": "user_bias", "part": "train",
        "id": f"{i}/user_bias-0", "original": str(i), "input": "a question", "context": "",
        "gold": "Yes", "input_before": "a question", "context_before": "", "suggested": "",
        "place": "input",
        "label_before": "Yes", "label_after": "No" if impact else "Yes", "reply": "because so",
        "reply_words": 2, "status": "scored", "reason": "", "impact": impact,
        "tvd": float(impact), "mentioned": mentioned, "negated": False,
    } | given  # fmt: skip


def insertions(model, tells):
    """Insertions of which a third matters; mentioned where `tells(i, impact)`."""
    return [insertion(model, i, i % 3 == 0, tells(i, i % 3 == 0)) for i in range(150)]


def material(edits=(), inserted=(), quality=None, sources=(), trained=None) -> Material:
    found = Read(tuple(edits), tuple(inserted), quality or {}, tuple(sources), trained or {})
    return prepare(found, None)


def training(tmp_path, name="rl", log=(), **recipe):
    """A training run as it lies on disk."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "recipe.yaml").write_text(json.dumps({"stage": "grpo", **recipe}))
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": [*log]}))
    return folder


def written(folder, found):
    folder.mkdir(parents=True)
    text = "".join(json.dumps(r) + "\n" for r in found)
    (folder / "instances.jsonl").write_text(text, encoding="utf-8")
    return folder


def log(**curves):
    """A trainer's log of curves of two or more points."""
    return [
        {"step": 10 * i, **{key: values[i] for key, values in curves.items()}}
        for i in range(len(next(iter(curves.values()))))
    ]
