"""The outcome of one bad command line or call, either refused in one line or not."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

import numpy as np

from bench.children import ROOT
from jaxdeep.data.images import Images
from jaxdeep.errors import UserError

SECONDS: Final = 30
"""Seconds after which a running call counts as not refused."""


class Attempt(NamedTuple):
    """A bad command line or call.

    Attributes:
        kind: Kind of mistake that it shows.
        name: Name of the attempt, unique within its kind.
        make: Function that makes the attempt in the working folder. It returns the fault of the refusal, or "" for
            none.
    """

    kind: str
    name: str
    make: Callable[[], str]


class TooLong(BaseException):
    """An attempt took more than SECONDS."""


def outcome(attempt: Attempt) -> str:
    """Make an attempt in an empty folder.

    Args:
        attempt: Attempt to make.

    Returns:
        "" if it was refused properly. Otherwise one line that says what happened.
    """
    with _empty_folder() as folder, _quiet(), _limited():
        try:
            fault = attempt.make()
        except TooLong:
            return f"still running after {SECONDS} s"
        except Exception as error:
            fault = _shortened(f"{type(error).__name__}: {error}")
        written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return fault or (_shortened(f"refused, but written: {', '.join(written)}") if written else "")


def call(kind: str, name: str, function: Callable[[], Any]) -> Attempt:
    """Return the attempt of a call that must raise UserError with one line.

    Args:
        kind: Kind of mistake that it shows.
        name: Name of the attempt, unique within its kind.
        function: Call to make.

    Returns:
        The attempt, which is not made yet.
    """

    def make() -> str:
        try:
            result = function()
        except UserError as error:
            return "several lines" if "\n" in str(error) else ""
        return _shortened(f"accepted: {type(result).__name__}")

    return Attempt(kind, name, make)


def calls(kind: str, name: str, function: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Attempt]:
    """Yield the attempt of a call for each value.

    Args:
        kind: Kind of mistake that they show.
        name: Name of the argument. The value is added to it.
        function: Call to make with a value.
        values: Bad values of the argument.

    Yields:
        One attempt for each value.
    """
    for index, value in enumerate(values):
        shown = repr(value)
        shown = " ".join(shown.split()) if len(shown) < 40 else f"a {type(value).__name__} ({index})"
        yield call(kind, f"{name}: {shown}", lambda value=value: function(value))


def command(kind: str, argv: Sequence[str], *, real_images: bool = False) -> Attempt:
    """Return the attempt of a command line of experiments.cifar in this process. It must end with exit status 2.

    Args:
        kind: Kind of mistake that it shows.
        argv: Words of the command line.
        real_images: Whether the real images are looked for. Otherwise the images are few, small and made up.

    Returns:
        The attempt, which is not made yet.
    """

    def make() -> str:
        from experiments.cifar import CONFIGS
        from jaxdeep.cli import main as cli
        from jaxdeep.cli import run

        errors = io.StringIO()
        images = run.load_images if real_images else small_images
        without = {name: value for name, value in os.environ.items() if name != "JAXDEEP_DATA"}
        with (
            mock.patch.object(run, "load_images", images),
            mock.patch.object(run, "use_compilation_cache"),
            mock.patch.dict(os.environ, without, clear=True),
            contextlib.redirect_stderr(errors),
        ):
            try:
                status, by_tyro = cli.main("cifar", "cifar10", CONFIGS, argv), False
            except SystemExit as stop:
                status, by_tyro = stop.code, True
        return fault_of_refusal(status, errors.getvalue(), by_tyro)

    return Attempt(kind, " ".join(map(_quoted, argv)), make)


def process(kind: str, argv: Sequence[str]) -> Attempt:
    """Return the attempt of a command line of experiments.cifar in its own process. It must end with exit status 2.

    Args:
        kind: Kind of mistake that it shows.
        argv: Words of the command line.

    Returns:
        The attempt, which is not made yet.
    """

    def make() -> str:
        environment = {name: value for name, value in os.environ.items() if name != "JAXDEEP_DATA"}
        environment |= {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
        words = (sys.executable, "-m", "experiments.cifar", *argv)
        try:
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"still running after {SECONDS} s"
        return fault_of_refusal(done.returncode, done.stderr, done.stderr.startswith("╭"))

    return Attempt(kind, " ".join(map(_quoted, argv)), make)


def fault_of_refusal(status: Any, errors: str, by_tyro: bool) -> str:
    """Return the fault in the end of a command that must be refused.

    Args:
        status: Exit status.
        errors: Text on stderr.
        by_tyro: Whether tyro refused it, in a box of several lines.

    Returns:
        "" for exit status 2 with one line or tyro's box on stderr. Otherwise one line that says what is wrong.
    """
    if "Traceback" in errors:
        return _shortened(f"a traceback: {errors.strip().splitlines()[-1]}")
    if status != 2:
        return _shortened(f"exit status {status}: {errors.strip() or 'nothing on stderr'}")
    lines = [line for line in errors.splitlines() if not line.startswith("warning: ")]
    if not by_tyro and len([line for line in lines if line.startswith("error: ")]) != 1:
        return _shortened(f"no line of its own for the error: {errors.strip()}")
    if not by_tyro and len(lines) != 1:
        return _shortened(f"{len(lines)} lines on stderr: {errors.strip()}")
    return "" if errors.strip() else "nothing on stderr"


def small_images(name: str, *, source: str, data_dir: Path | None) -> Images:
    """Return 10 classes of noise around a pattern in place of a data set.

    Args:
        name: Name of the data set.
        source: "synthetic" marks the images as such. Every other source is ignored.
        data_dir: Folder of the files, which is ignored.

    Returns:
        5,400 training images and 500 test images of 4 x 4 x 3 pixels.
    """
    del data_dir
    rng = np.random.default_rng(0)
    labels = (np.arange(5_400) % 10).astype(np.uint8)
    patterns = rng.integers(60, 196, (10, 4, 4, 3))
    pixels = np.clip(patterns[labels] + rng.normal(0, 40, (5_400, 4, 4, 3)), 0, 255).astype(np.uint8)
    return Images(
        pixels,
        labels,
        pixels[:500],
        labels[:500],
        name=name,
        source="made up",
        synthetic=source == "synthetic",
        class_names=tuple(map(str, range(10))),
    )


@contextlib.contextmanager
def _empty_folder() -> Iterator[Path]:
    """Work in an empty folder, which is removed afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop printed text and warnings."""
    nowhere = io.StringIO()
    with (
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise TooLong after SECONDS."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _quoted(word: str) -> str:
    """Return a word in quotes if it is empty or holds a space."""
    return word if word and " " not in word else repr(word)


def _shortened(text: str) -> str:
    """Return a text as one line of at most 200 characters and an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."
