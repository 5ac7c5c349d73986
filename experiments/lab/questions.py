"""The chapter's seven questions: what each source answers, where they disagree, and which claims measure it."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from experiments.lab.text import WIDTH, result_text


@dataclass(frozen=True)
class Question:
    """A question of the chapter's exercises.

    Attributes:
        text: The question, in our words.
        answers: Answer by the sources that give it.
        disagreement: Where the sources disagree. "" if they agree.
    """

    text: str
    answers: Mapping[str, str]
    disagreement: str = ""


QUESTIONS: Final[Mapping[int, Question]] = {
    1: Question(
        "May all weights begin with the same value, if He's initialiser drew that value?",
        {"chapter": "No. Equal units stay equal, and a layer learns like one unit."},
    ),
    2: Question(
        "May biases begin at zero?",
        {"chapter": "Yes. Zero and random biases make no difference."},
    ),
    3: Question(
        "What speaks for SELU?",
        {
            "000": "SELU alone learns faster and better than others, even with batch normalisation.",
            "001": "SELU self-normalises, even through 1,000 layers.",
            "003": "ELU is better where the network cannot self-normalise.",
        },
        "000 prefers SELU in general, 003 only where it self-normalises.",
    ),
    4: Question(
        "Which activation when?",
        {
            "chapter": "SELU > ELU > leaky ReLU > ReLU > tanh > logistic. For low latency leaky ReLU or ReLU.",
            "004": "Swish, Mish and GLU win on large problems.",
        },
        "Only 004 names gated activations.",
    ),
    5: Question(
        "What may happen with a momentum of .99999?",
        {"chapter": "It overshoots, comes back, and oscillates for long before it converges."},
    ),
    6: Question(
        "What are three ways to a sparse model?",
        {
            "chapter": "Zero tiny weights; train with strong l1; prune gradually while training.",
            "002": "Dropout makes a model sparse too.",
        },
        "Only 002 counts dropout.",
    ),
    7: Question(
        "Does dropout slow training, or predicting? And MC dropout?",
        {
            "000, 001, 003, 004": "Dropout halves the speed of convergence, and costs nothing at inference.",
            "002": "No significant slow-down.",
            "chapter": "MC dropout costs as many passes as it has samples.",
        },
        "002 contradicts the four others.",
    ),
}
"""The questions by number. The chapter is what its sources agree on. All answers are in our words."""


def question_text(number: int, results: Sequence[Mapping[str, Any] | None]) -> str:
    """Return a question with the sources' answers and what was measured, in 80 columns.

    Args:
        number: Number of the question.
        results: Results of its claims, None for those without one.
    """
    question = QUESTIONS[number]
    lines = textwrap.wrap(f"{number}. {question.text}", WIDTH)
    for sources, answer in question.answers.items():
        lines += textwrap.wrap(f"{sources}: {answer}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    if question.disagreement:
        text = f"They disagree: {question.disagreement}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join([*lines, "", *(result_text(result) for result in results if result is not None)])
