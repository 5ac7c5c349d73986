"""`diagnostics`: seconds of an epoch with and without `train.diagnostics`, in turn in one process.

A turn trains an epoch of the whole data set, reads its figures, and writes its row of metrics.jsonl and TensorBoard's
events. The two networks begin with the same weights and keep the same bits. `selu` and `bn` are CIFAR-10's, with 20
layers of 100. `fashion` is Fashion-MNIST's leaky ReLU, 300-100. The first epoch of each is left out.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.networks import DIAGNOSTICS
from bench.options import Options, say
from bench.rounds import ratio, spread, turns
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.report.layout import fitted

QUESTION: Final = "diagnostics"
OFF, ON = "off", "on"
"""Names of the two contestants."""
HEADERS: Final = ("diagnostics", "s an epoch", "time / off's")


def run(options: Options) -> None:
    """Time every network with and without diagnostics, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    from jaxdeep.data.sources import load_images

    for name in options.configs or DIAGNOSTICS:
        say(f"{QUESTION} of {name}")
        source, config = DIAGNOSTICS[name]
        images = load_images(source)
        data = Dataset.from_images(images, config.data)
        entry = {
            "config": name,
            "data": images.name,
            "synthetic": images.synthetic,
            "rows": data.train.size,
            "layers": len(config.model.units) + 1,
            "seconds": timed(config, data, options.rounds),
        }
        options.keep(QUESTION, name, ("--configs", name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return the network, its layers and its data in words.

    Args:
        entry: Entry of the record.
    """
    of_data = f"{entry['data']}{', synthetic' if entry['synthetic'] else ''}"
    return f"{entry['config']}, {entry['layers']} layers, {entry['rows']:,} training rows of {of_data}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row without diagnostics and a row with them, the headers first.

    Args:
        entry: Entry of the record.
    """
    seconds = entry["seconds"]
    rows = [(name, f"{spread(seconds[name]):.3f}", f"{ratio(seconds[name], seconds[OFF]):.3f}") for name in (OFF, ON)]
    return [HEADERS, *rows]


def timed(config: Config, data: Dataset, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each epoch, with and without diagnostics in turn.

    Args:
        config: Configuration to train.
        data: Data set that it is trained on.
        rounds: Number of timed epochs of each.
    """
    from jaxdeep.train.checks import check_fits

    check_fits(config, data)
    seconds: dict[str, list[float]] = {OFF: [], ON: []}
    with tempfile.TemporaryDirectory() as folder:
        epochs = {
            name: _epochs(config.updated({"train.diagnostics": name == ON}), data, Path(folder) / name)
            for name in seconds
        }
        for number, name in turns(tuple(seconds), rounds + 1):
            began = time.perf_counter()
            next(epochs[name])
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - began)
    return seconds


def _epochs(config: Config, data: Dataset, folder: Path) -> Iterator[int]:
    """Train an epoch and write its figures for each value that is taken. Yield the number of the epoch."""
    import jax

    from jaxdeep.study.folder import figures_of
    from jaxdeep.study.tensorboard import append_epoch
    from jaxdeep.train.history import epoch_record
    from jaxdeep.train.programs import compile_program, traced

    folder.mkdir()
    program, hyper, recorded = compile_program(config, data), traced(config), config.to_dict()
    state, number = program.start(hyper, data, jax.random.key(42)), 0
    with (folder / "metrics.jsonl").open("w") as metrics:
        while True:
            number += 1
            state, found = program.epoch(state, hyper, data)
            record = epoch_record(number, jax.device_get(found), 0.0)
            metrics.write(json.dumps(figures_of(record)) + "\n")
            metrics.flush()
            append_epoch(folder / "tensorboard", "events.out.tfevents.0.jaxdeep", record, recorded, {"seed": 42})
            yield number
