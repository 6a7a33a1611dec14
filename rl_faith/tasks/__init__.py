"""What is asked: tasks, their examples and prompts."""

from rl_faith.tasks.data import check_disjoint, load_examples
from rl_faith.tasks.task import Example, Task, load_task, shipped_tasks, task_name

__all__ = [
    "Example",
    "Task",
    "check_disjoint",
    "load_examples",
    "load_task",
    "shipped_tasks",
    "task_name",
]
