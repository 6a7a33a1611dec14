"""What is asked: tasks, their examples and prompts."""

from rl_faith.tasks.task import Example, Task, load_task, shipped_tasks

__all__ = ["Example", "Task", "load_task", "shipped_tasks"]
