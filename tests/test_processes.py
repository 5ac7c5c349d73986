"""Studies in two and three real processes on the loopback address equal one, also after kills and signals."""

import json
import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_commands import QUICK
from small_processes import COMMAND, MOST_SECONDS, Together

from bench.resume import _without_times

STUDIES = """
import json, sys
import jax
import numpy as np
port, count, number = sys.argv[-3:]
folder = sys.argv[1]
if count != "1":
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(f"127.0.0.1:{port}", int(count), int(number))
from jaxdeep import Config, Data, Dataset, Model, Train, UserError, run_study

x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
config = Config(Data(valid_size=60), Model(units=(8,)), train=Train(epochs=3))
data = Dataset.from_arrays(x, (x[:, 0] > 0).astype(int), x[:50], (x[:50, 1] > 0).astype(int), data=config.data)
rates = {"optim.learning_rate": [1e-3, 1e-2, 1e-1]}
found = {}
def note(name, **options):
    result = run_study(config, data, devices="all", verbose=False, **options)
    weights = [[np.asarray(leaf).tobytes().hex() for leaf in jax.tree.leaves(result.runs[trial].params)]
               for trial in sorted(result.runs)]
    figures = result.to_json()
    figures.pop("device")
    found[name] = [figures, [history[-1]._asdict() for history in result.histories], weights]
note("in memory", seeds=3)
note("two architectures", seeds=2, grid={"model.units": [[8], [4, 4]]}, folder=f"{folder}/grid")
note("halving", grid=rates, halving="successive", folder=f"{folder}/halving")
note("finished", grid=rates, halving="successive", folder=f"{folder}/halving")
note("grown", seeds=4, grid={"model.units": [[8], [4, 4]]}, folder=f"{folder}/grid")
for name, options in {
    "no folder": {"grid": rates, "halving": "successive"},
    "another study": {"seeds": 2, "folder": f"{folder}/halving"},
    "another seed": {"seeds": [int(number)]},
}.items():
    try:
        run_study(config, data, devices="all", verbose=False, **options)
    except UserError as error:
        found[name] = str(error)
print(json.dumps(found))
"""
"""Several studies in one job."""


def without_times(values: Any) -> Any:
    """The values without seconds, and without what names the machine."""
    return _without_times(values)


def without_device(values: dict[str, Any]) -> dict[str, Any]:
    """The values without the device, and without the digests of the files that name it."""
    return {name: value for name, value in values.items() if name not in ("device", "files")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The studies in one process."""
    folder = tmp_path_factory.mktemp("alone")
    with Together(1, ("-c", STUDIES, str(folder / "studies")), folder, flags=False) as job:
        (ended,) = job.ended()
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_studies_of_two_processes_are_those_of_one_to_the_last_bit(alone, tmp_path: Path) -> None:
    count = 2
    with Together(count, ("-c", STUDIES, str(tmp_path / "studies")), tmp_path, flags=False) as job:
        ended = job.ended()
    assert [process.status for process in ended] == [0] * count, ended[-1].err
    for process in ended:
        found = json.loads(process.out.splitlines()[-1])
        for name in ("in memory", "two architectures", "halving", "finished"):
            assert without_times(found[name]) == without_times(alone[name]), name
        assert without_times(found["grown"][:2]) == without_times(alone["grown"][:2])
        assert found["no folder"] == "halving in several processes needs a folder that they share. Give a folder."
        assert "Choose another folder" in found["another study"]
        assert "see another study" in found["another seed"]
    assert len({run["epochs"] for run in alone["halving"][0]["runs"]}) > 1


SHORT = [*QUICK[2:-1], "2", "--seeds", "2"]
LONG = [*QUICK[:-2], "--train.epochs", "80", "--train.patience", "80", "--seeds", "5"]


def figures(folder: Path) -> dict[str, Any]:
    """All figures of a folder without times, and without the device."""
    summary = without_times(json.loads((folder / "summary.json").read_text()))
    lines = [without_times(json.loads(line)) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {**without_device(summary), "epochs": lines}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of the long study, which one process trains."""
    return figures(_in_one(tmp_path_factory.mktemp("undisturbed")))


def _in_one(place: Path) -> Path:
    """Run or continue the long study in one process."""
    with Together(1, ("-c", COMMAND, *LONG, "--workdir", str(place / "run")), place) as job:
        (ended,) = job.ended()
    assert ended.status == 0, ended.err
    return place / "run"


def _stopped(count: int, place: Path, stop: Callable[[Together], None]) -> list[Any]:
    """Stop a job at a random moment after its first epochs."""
    with Together(count, ("-c", COMMAND, *LONG, "--workdir", str(place / "run")), place) as job:
        job.wait_for(job.err_of(0), "epoch 3/")
        pause = random.uniform(0, 0.5)
        for process in job.processes:
            with pytest.raises(Exception, match="timed out"):
                process.wait(pause / count)
        stop(job)
        return job.ended()


def test_a_killed_process_stops_the_others_with_status_4_and_fewer_continue(undisturbed, tmp_path: Path) -> None:
    one, two, three = _stopped(3, tmp_path, lambda job: job.processes[1].kill())
    assert two.status == -signal.SIGKILL
    assert "this process was ended from outside" in two.last
    for other in (one, three):
        assert other.status == 4, other.err
        assert other.last == "error: process 1 was lost. Give the same command to all processes again to continue."
        assert other.ended - two.ended < MOST_SECONDS
    assert figures(_in_one(tmp_path)) == undisturbed


def test_after_the_loss_of_process_0_the_last_line_says_so(tmp_path: Path) -> None:
    one, two = _stopped(2, tmp_path, lambda job: job.processes[0].kill())
    assert one.status == -signal.SIGKILL
    assert two.status in (4, -signal.SIGABRT)
    assert "process 0 was lost. Give the same command to all processes again to continue." in two.last
    assert two.ended - one.ended < MOST_SECONDS


@pytest.mark.parametrize("gets_it", [(1,), (0, 1)])
def test_sigterm_saves_in_all_processes_and_they_continue(gets_it, undisturbed, tmp_path: Path) -> None:
    def stop(job: Together) -> None:
        for number in gets_it:
            job.processes[number].send_signal(signal.SIGTERM)

    ended = _stopped(2, tmp_path, stop)
    assert [process.status for process in ended] == [143, 143], ended[0].err
    assert "stopping after this epoch" in ended[0].err
    assert ended[0].last.startswith("stopped; to continue: ")
    begun = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert len(begun) >= 2
    for folder in (tmp_path / "run/checkpoints").iterdir():
        assert [entry for entry in folder.iterdir() if entry.name.isdecimal()]
    assert not (tmp_path / "run/summary.json").exists()
    if len(gets_it) == 1:
        with Together(3, ("-c", COMMAND, *LONG, "--workdir", str(tmp_path / "run")), tmp_path / "more") as job:
            ended = job.ended()
        assert [process.status for process in ended] == [0, 0, 0], ended[0].err
        assert figures(tmp_path / "run") == undisturbed
        assert "val acc." in ended[0].out
        assert "val acc." not in ended[1].out
        assert "epoch" not in ended[1].err


def all_figures(folder: Path) -> dict[str, Any]:
    """The figures of each JSON file below a folder, without times, and without the device."""
    found = {}
    for path in sorted(folder.rglob("*.json")):
        if "checkpoints" in path.parts or not isinstance(values := json.loads(path.read_text()), dict):
            continue
        found[str(path.relative_to(folder))] = without_device(without_times(values))
    return found


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["--config", "bn", *SHORT, "--tune", "--tune-rates", "3", "--tune-seeds", "1"], {"tune.json", "summary.json"}),
        (["--compare", "elu", "selu", *SHORT], {"comparison.json", "summary.json"}),
        (["--config", "alpha_dropout", *SHORT, "--mc-samples", "5", "--ensemble"], {"summary.json"}),
    ],
    ids=["tuned", "compared", "uncertain"],
)
def test_a_command_in_two_processes_gives_the_figures_of_one(words, files: set[str], tmp_path: Path) -> None:
    found = []
    for count in (1, 2):
        place = tmp_path / str(count)
        place.mkdir()
        with Together(count, ("-c", COMMAND, *words), tmp_path, place=place) as job:
            ended = job.ended()
        assert [process.status for process in ended] == [0] * count, ended[0].err
        found.append((all_figures(place), without_seconds(ended[0].out)))
        assert not any(process.out for process in ended[1:])
    assert {Path(name).name for name in found[0][0]} >= files
    assert found[0] == found[1]


def without_seconds(text: str) -> list[str]:
    """The printed lines without seconds."""
    return [re.sub(r" [0-9.]+( s| min|$)", "", line) for line in text.splitlines()]


def test_a_lost_process_of_a_data_parallel_run_stops_the_other(tmp_path: Path) -> None:
    small = ("--train.epochs", "30", "--train.patience", "30", "--data.train-size", "320", "--data-parallel")
    words = (*QUICK[:-2], *small, "--workdir", str(tmp_path / "run"))
    with Together(2, ("-c", COMMAND, *words), tmp_path) as job:
        job.wait_for(job.err_of(0), "epoch 3/")
        job.processes[1].kill()
        one, two = job.ended()
    assert two.status == -signal.SIGKILL
    assert one.status == 4, one.err
    assert one.last == "error: process 1 was lost. Give the same command to all processes again to continue."
    assert one.ended - two.ended < MOST_SECONDS
    with Together(2, ("-c", COMMAND, *words), tmp_path / "again") as job:
        assert [process.status for process in job.ended()] == [0, 0]
    with Together(2, ("-c", COMMAND, *words[:-1], str(tmp_path / "undisturbed")), tmp_path / "new") as job:
        assert [process.status for process in job.ended()] == [0, 0]
    assert figures(tmp_path / "run") == figures(tmp_path / "undisturbed")


def test_eight_trials_on_cifar_10_in_two_processes_are_those_of_one(tmp_path: Path) -> None:
    if not os.environ.get("JAXDEEP_DATA"):
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files")
    words = [
        *("-m", "experiments.cifar", "--config", "selu", "--data", "cifar10", "--model.units", "20", "20"),
        *("--data.train-size", "1000", "--data.valid-size", "500", "--train.epochs", "2", "--seeds", "4"),
        *("--grid", "optim.learning_rate=1e-4,1e-3"),
    ]
    for count in (1, 2):
        with Together(count, (*words, "--workdir", str(tmp_path / f"run_{count}")), tmp_path) as job:
            assert [process.status for process in job.ended()] == [0] * count
    one, two = (figures(tmp_path / f"run_{count}") for count in (1, 2))
    assert len(one["runs"]) == 8
    assert one == two
