"""The answering side of `bench.children`: lines of JSON in, lines of JSON out."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def serve(build: Callable[[], tuple[Mapping[str, Any], Answer]]) -> None:
    """Build, say so, then answer until stdin ends. What libraries print goes to stderr.

    Args:
        build: () -> (the first line, request -> answer).
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints cannot reach the answers
    first, answer = build()
    print(json.dumps(first), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
