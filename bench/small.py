"""`small`: how long whole processes take that train small networks on scikit-learn's digits, import included.

A second process is timed from outside: its cache of compiled programs is warm, except for `shapes`. The network is
that of scikit-learn's MLPClassifier by default: one hidden layer of 100 units, batches of 200 rows, and 200 epochs.
Both standardise the columns and train all epochs. jaxdeep evaluates rows after each epoch too.

`fits` are classifiers with other seeds, one after the other. `short_fits` are the same for 20 epochs, in which little
is trained. `study` has 5 learning rates x 5 seeds. `shapes` are eight networks of different programs in one study of 3
epochs. `predict` has the slowest prediction of 1, 2, 3, ... 32 rows, after one of 32. `import` is `import jaxdeep`, and
`names` imports `fit` and `run_study` from it. The targets are about medians of 10: `--rounds 10`.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple

from bench.children import ROOT, last_words
from bench.contestants import CONTESTANTS, clean_environment, field
from bench.options import Options, say
from bench.rounds import Spread, ratio, spread, turns
from jaxdeep.report.layout import fitted

QUESTION: Final = "small"
JAXDEEP, SKLEARN = "jaxdeep-digits", "sklearn-digits"
HEADERS: Final = ("process", "seconds", "times scikit-learn", "test accuracy", "remark")


class Task(NamedTuple):
    """What a process does.

    Attributes:
        name: Name in bench.peers.digits.
        words: Description in words.
        runs: Number of networks, or of predictions.
        epochs: Epochs of each network.
        contestants: Names of the contestants.
        is_cold: Whether each process begins with an empty cache of compiled programs.
    """

    name: str
    words: str
    runs: int = 0
    epochs: int = 0
    contestants: tuple[str, ...] = (JAXDEEP,)
    is_cold: bool = False


TASKS: Final[Mapping[str, Task]] = {
    "fits": Task("fits", "5 fits of 200 epochs", 5, 200, (JAXDEEP, SKLEARN)),
    "short_fits": Task("fits", "5 fits of 20 epochs", 5, 20, (JAXDEEP, SKLEARN)),
    "study": Task("study", "a study of 25 runs of 200 epochs", 25, 200, (JAXDEEP, SKLEARN)),
    "shapes": Task("shapes", "eight shapes of 3 epochs, cache empty", 8, 3, is_cold=True),
    "predict": Task("predict", "predictions of 1, 2, 3, ... 32 rows", 32, 3),
    "import": Task("import", "import jaxdeep"),
    "names": Task("names", "import fit and run_study"),
}
"""Name of a task -> task."""


def run(options: Options) -> None:
    """Run the processes of each task in turn, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    for name in options.configs or TASKS:
        task = TASKS[name]
        present, left_out = field(options.among(task.contestants), options.platform)
        for contestant, reason in left_out.items():
            say(f"{contestant} is left out: {reason}")
        if not present:
            continue
        say(f"small: {task.words}")
        outcomes = timed(task, present, options.rounds)
        entry = {"task": name, "words": task.words, "contestants": outcomes, "left_out": left_out}
        options.keep(QUESTION, name, ("--configs", name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def timed(task: Task, names: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Return the seconds of each contestant's process in each round, and what the process printed.

    Args:
        task: What a process does.
        names: Names of the contestants, in the order of their turns.
        rounds: Number of rounds.

    Returns:
        JSON values of each contestant: `seconds` of each round, the last `answer`, and the slowest prediction of each
        round under `milliseconds`. Or the reason under `failed`.
    """
    outcomes: dict[str, Any] = {name: {"seconds": [], "milliseconds": []} for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        if JAXDEEP in names and not task.is_cold:
            _process(task, JAXDEEP, Path(temporary), outcomes[JAXDEEP], "warm")  # fills the cache
            outcomes[JAXDEEP].update(seconds=[], milliseconds=[])
        for index, name in turns(names, rounds):
            if "failed" not in outcomes[name]:
                _process(task, name, Path(temporary), outcomes[name], f"cold-{index}" if task.is_cold else "warm")
    return outcomes


def _process(task: Task, name: str, folder: Path, outcome: dict[str, Any], cache: str) -> None:
    """Run a contestant's process once, and add its figures to an outcome."""
    environment = clean_environment(folder, CONTESTANTS[name])
    environment |= {"JAXDEEP_CACHE": str(folder / cache), "JAX_ENABLE_COMPILATION_CACHE": "1"}
    contestant = name.partition("-")[0]
    argv = (sys.executable, "-m", CONTESTANTS[name].module, contestant, task.name, str(task.runs), str(task.epochs))
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        outcome["failed"] = last_words(done.stderr.splitlines())
        say(f"{name} failed: {outcome['failed']}")
        return
    answer = json.loads(done.stdout.splitlines()[-1])
    outcome["seconds"].append(seconds)
    outcome["milliseconds"] += [max(answer["milliseconds"])] if "milliseconds" in answer else []
    outcome["answer"] = answer


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    return f"digits: {entry['words']}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first. Figures are median (minimum - maximum).

    Args:
        entry: Entry of the record.

    Returns:
        Rows of five cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for name, outcome in entry["contestants"].items():
        seconds, slowest = outcome["seconds"], outcome["milliseconds"]
        times, accuracies = gain(entry) if name == JAXDEEP else None, outcome.get("answer", {}).get("accuracy")
        remark = f"slowest prediction {spread(slowest):.1f} ms" if slowest else ""
        rows.append(
            (
                name,
                f"{spread(seconds):.2f}" if seconds else "-",
                f"{times:.2f}" if times else "-",
                f"{mean(accuracies):.3f}" if accuracies else "-",
                f"failed: {outcome['failed']}" if "failed" in outcome else remark,
            )
        )
    return rows


def gain(entry: Mapping[str, Any]) -> Spread | None:
    """Return the seconds of scikit-learn's process over the seconds of jaxdeep's, or None if one is missing.

    Args:
        entry: Entry of the record.
    """
    seconds = [entry["contestants"].get(name, {}).get("seconds") for name in (SKLEARN, JAXDEEP)]
    if not all(seconds) or len(seconds[0]) != len(seconds[1]):
        return None
    return ratio(*seconds)
