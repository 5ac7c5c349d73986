"""The answering side of `bench.children`, which reads and writes lines of JSON."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Function from a request to its answer, both JSON values."""


def serve(build: Callable[[], tuple[Mapping[str, Any], Answer]]) -> None:
    """Build, report it in a first line, then answer requests until stdin ends. Prints of libraries go to stderr.

    Args:
        build: Function that returns the first line and the function that answers requests.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints cannot reach the answers
    first, answer = build()
    print(json.dumps(first), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
