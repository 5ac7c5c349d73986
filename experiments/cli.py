"""The command line that every experiment shares.

The flags are the fields of `Config`, by tyro; `--config` is read first and gives their defaults.
"""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from experiments.profile import Profiler
from experiments.progress import Progress
from experiments.recipe import Recipe
from jaxdeep.config import Config, differences
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.report.run_folder import RunFolder
from jaxdeep.report.summary import summarise
from jaxdeep.report.tables import summary_table
from jaxdeep.train.devices import describe_device, use_compilation_cache
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord

FALLBACK_TRAIN_SIZE = 15_000
"""Training images where `--data auto` finds only the built-in set: minutes, not a quarter of an hour."""


@dataclass(frozen=True)
class Arguments:
    """A command, read."""

    name: str
    config: Config
    seeds: tuple[int, ...]
    data: str
    data_dir: Path | None
    workdir: Path | None
    overwrite: bool
    profile: bool


class Interrupted(Exception):
    """A signal came; the epoch that was going on is finished and saved."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main(experiment: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str] | None = None) -> int:
    """Run an experiment's command line.

    Args:
        experiment: its name.
        dataset: the name of its images.
        recipes: its configurations by name.
        argv: arguments; None: those of the process.

    Returns:
        The exit status: 0; 2 for what the user can mend; 3 if every run diverged; 130 after Ctrl-C, 143 after SIGTERM.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    if "--list" in given:
        print("\n".join(f"{name:14} {recipe.description}" for name, recipe in recipes.items()))
        return 0
    try:
        arguments = _parse(experiment, dataset, recipes, given)
        summary = _run(experiment, dataset, recipes, arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (Interrupted, KeyboardInterrupt) as stop:
        command = shlex.join(("python", "-m", f"experiments.{experiment}", *given))
        print(f"stopped; to continue: {command}", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)
    print(summary_table(summary))
    return 3 if all(run["diverged"] for run in summary["runs"]) else 0


def _parse(experiment: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str]) -> Arguments:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", default=None)
    named = first.parse_known_args(argv)[0].config
    defaults = recipes[named].config if named in recipes else next(iter(recipes.values())).config
    names = tyro.extras.literal_type_from_choices(list(recipes))
    sources = tyro.extras.literal_type_from_choices(["auto", dataset, "synthetic"])

    def command(
        config: names,  # pyright: ignore[reportInvalidTypeForm]
        settings: Annotated[Config, tyro.conf.arg(name="")] = defaults,
        seed: int = 42,
        seeds: int = 1,
        data: sources = "auto",  # pyright: ignore[reportInvalidTypeForm]
        data_dir: Path | None = None,
        workdir: Path | None = None,
        overwrite: bool = False,
        profile: bool = False,
        list: bool = False,
    ) -> Arguments:
        """Train one of the chapter's networks; the same command again continues what was interrupted.

        Args:
            config: which one; its values are the defaults of the flags below.
            settings: the run.
            seed: the first seed.
            seeds: how many: seed, seed + 1, ...
            data: auto: the real images, and the built-in synthetic set where they cannot be had.
            data_dir: folder with the classic files; else JAXDEEP_DATA.
            workdir: folder of the run; by default runs/EXPERIMENT/CONFIG and what else was changed.
            overwrite: remove another run's files from the folder first.
            profile: trace the second epoch into the folder's profile/, for Perfetto or TensorBoard.
            list: print the configurations.
        """
        if seeds < 1:
            raise UserError(f"--seeds is {seeds}; allowed: 1 or more")
        seeds_ = tuple(range(seed, seed + seeds))
        return Arguments(config, settings, seeds_, data, data_dir, workdir, overwrite, profile)

    program = f"python -m experiments.{experiment}"
    return tyro.cli(command, prog=program, args=argv, config=(tyro.conf.FlagCreatePairsOff,))


def _run(experiment: str, dataset: str, recipes: Mapping[str, Recipe], arguments: Arguments) -> dict[str, Any]:
    config = arguments.config
    if config.train.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    use_compilation_cache()
    images = load_images(dataset, source=arguments.data, data_dir=arguments.data_dir)
    if images.synthetic and arguments.data == "auto" and config.data.train_size is None:
        config = replace(config, data=replace(config.data, train_size=FALLBACK_TRAIN_SIZE))
        print(f"training on its first {FALLBACK_TRAIN_SIZE:,} images; --data synthetic takes all", file=sys.stderr)
    data = Dataset.from_images(images, config.data)

    workdir = arguments.workdir or _default_workdir(experiment, recipes, arguments, images.synthetic)
    identity = {
        "experiment": experiment,
        "name": arguments.name,
        "config": config.to_dict(),
        "seeds": list(arguments.seeds),
        "data": data.identity(),
    }
    with RunFolder(workdir, identity, overwrite=arguments.overwrite) as folder:
        if (summary := folder.summary()) is not None:
            print(f"{workdir} is finished: these are its results", file=sys.stderr)
            return summary
        train, valid, test = (f"{len(split.labels):,}" for split in (data.train, data.valid, data.test))
        print(
            f"{experiment} {arguments.name}: {train} training, {valid} validation and {test} test images of "
            f"{images.name} ({images.source}) on {describe_device()}, to {workdir}",
            file=sys.stderr,
        )
        with Profiler(folder.profile if arguments.profile else None) as profiler:
            runs = [_fit(config, data, seed, folder, profiler) for seed in arguments.seeds]
        reported = () if images.synthetic else recipes[arguments.name].reported
        summary = summarise(identity, runs, [asdict(figure) for figure in reported])
        folder.write_summary(summary)
        return summary


def _fit(config: Config, data: Dataset, seed: int, folder: RunFolder, profiler: Profiler) -> Run:
    with Progress(seed, config.train.epochs, len(data.train.labels)) as progress, _signals() as received:

        def on_epoch(history: Sequence[EpochRecord]) -> None:
            folder.follow(seed, history)
            progress.follow(history)
            profiler.follow(goes_on=len(history) < config.train.epochs)
            if received:
                raise Interrupted(received[0])

        return fit(config, data, seed, checkpoints=folder.checkpoints(seed), on_epoch=on_epoch)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM in place of dying of them; a second one stops at once."""
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        print("\nstopping after this epoch; once more stops at once", file=sys.stderr)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _default_workdir(experiment: str, recipes: Mapping[str, Recipe], arguments: Arguments, synthetic: bool) -> Path:
    changed = differences(recipes[arguments.name].config.to_dict(), arguments.config.to_dict())
    parts = [arguments.name, *(f"{field}={_short(value)}" for field, (_, value) in changed.items())]
    if arguments.seeds[0] != 42:
        parts.append(f"seed={arguments.seeds[0]}")
    if len(arguments.seeds) > 1:
        parts.append(f"seeds={len(arguments.seeds)}")
    if synthetic:
        parts.append("synthetic")
    return Path("runs", experiment, ",".join(parts))


def _short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
