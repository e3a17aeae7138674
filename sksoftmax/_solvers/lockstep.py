"""Minimisers of independent functions in lock step: one read of the data answers all of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sksoftmax._solvers.protocol import Steps


def in_lockstep(
    minimisers: list[Steps], objective, told: Callable[[], None] | None = None
) -> list[Any]:
    """Run a minimiser for each output of a `OneVsRestObjective`; return their results.

    1. each minimiser that is not done has asked for a verb at its own row of theta
    2. each verb is evaluated once, for the outputs that ask for it
    3. each of them is sent its own row of the answer, and asks again, or is done

    So classes take steps of their own lengths, and one that has converged costs nothing more.
    `told` is called after each round.
    """
    results: list[Any] = [None] * len(minimisers)
    questions: dict[int, tuple] = {}

    def send(k: int, answer: Any) -> None:
        try:
            questions[k] = minimisers[k].send(answer)
        except StopIteration as done:
            results[k] = done.value

    for k in range(len(minimisers)):
        send(k, None)
    while questions:
        asked, questions = questions, {}  # 1
        for verb in sorted({question[0] for question in asked.values()}):
            outputs = [k for k, question in asked.items() if question[0] == verb]
            arguments = zip(*(asked[k][1:] for k in outputs), strict=True)
            stacked = [np.concatenate(rows) for rows in arguments]
            answer = getattr(objective.of(outputs), verb)(*stacked)  # 2
            for i, k in enumerate(outputs):
                send(k, _row_of(answer, i))  # 3
        if told is not None:
            told()
    return results


def _row_of(answer: Any, i: int) -> Any:
    """What a function of its own would have answered."""
    if isinstance(answer, tuple):
        values, gradients = answer
        return float(values[i]), gradients[i : i + 1]
    return answer[i : i + 1]
