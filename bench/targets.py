"""The targets of the bench, and the figures of a device's latest records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from bench import mc_dropout, small, transfer
from bench.floor import share
from bench.rounds import Spread, ratio, spread
from bench.throughput import ratios, step_ms

Entries = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Entries of one device, by question and workload."""
NOT_MEASURED: Final = "not measured"
"""Verdict of a target without a figure."""


class Target(NamedTuple):
    """A figure to reach.

    Attributes:
        name: Name of its note in notes.md.
        description: Description in words.
        platform: Platform of the devices that it holds for. None means all.
        sign: Side of the limit to be on.
        limit: Limit of the median.
        measured: Function from the entries to the figure. It returns None if nothing was measured.
    """

    name: str
    description: str
    platform: Literal["cpu", "gpu"] | None
    sign: Literal[">=", "<", "<="]
    limit: float
    measured: Callable[[Entries], Spread | None]

    def is_met(self, figure: Spread) -> bool:
        """Say whether a figure's median meets the target.

        Args:
            figure: Measured figure.

        Returns:
            True on the target's side of the limit.
        """
        match self.sign:
            case ">=":
                return figure.median >= self.limit
            case "<=":
                return figure.median <= self.limit
        return figure.median < self.limit


def speedup(config: str, peers: Sequence[str], entries: Entries) -> Spread | None:
    """Return the time of the quickest of some peers over jaxdeep's, at 20 layers and a batch size of 32.

    Args:
        config: Name of the configuration.
        peers: Names of the peers.
        entries: Entries of one device.

    Returns:
        Ratio of the times of a step, or None if it was not measured.
    """
    entry = entries.get("throughput", {}).get(f"{config},batch=32,layers=20")
    if entry is None or "jaxdeep" not in entry["contestants"]:
        return None
    by_peer = [ratios(entry, peer) for peer in peers if peer in entry["contestants"]]
    return min((times for times in by_peer if times is not None), default=None, key=lambda times: times.median)


def of_study(config: str, entries: Entries) -> Spread | None:
    """Return the time of a single run's step over the time of a trial's step in a study on all cores.

    Args:
        config: Name of the configuration.
        entries: Entries of one device.

    Returns:
        Ratio of the times of a step, or None if it was not measured.
    """
    entry = entries.get("sweep", {}).get(f"{config},batch=32,layers=20")
    if entry is None or not {"jaxdeep", "jaxdeep-study"} <= entry["contestants"].keys():
        return None
    return ratio(step_ms(entry, "jaxdeep"), step_ms(entry, "jaxdeep-study"))


def compilation(command: str, layers: int, entries: Entries) -> Spread | None:
    """Return the seconds in which a jaxdeep command compiles all programs.

    Args:
        command: Name of the command.
        layers: Number of hidden layers.
        entries: Entries of one device.

    Returns:
        Seconds, or None if they were not measured.
    """
    entry = entries.get("startup", {}).get(f"selu,layers={layers}", {"contestants": {}})
    seconds = entry["contestants"].get(command, {}).get("compile_seconds")
    return spread(seconds) if seconds else None


def share_of_floor(config: str, entries: Entries) -> Spread | None:
    """Return the floor over the time of jaxdeep's step, at 20 layers and a batch size of 32.

    Args:
        config: Name of the configuration.
        entries: Entries of one device.

    Returns:
        Share in (0, 1] if the floor is right, or None if it was not measured.
    """
    entry = entries.get("floor", {}).get(f"{config},batch=32,layers=20")
    return share(entry) if entry else None


def sampling(network: str, contestant: str, reference: str, entries: Entries) -> Spread | None:
    """Return the time of a contestant's prediction over the time of another's.

    Args:
        network: Name of the network.
        contestant: Name of the contestant.
        reference: Name of the contestant to compare with.
        entries: Entries of one device.

    Returns:
        Ratio of the times, or None if it was not measured.
    """
    entry = entries.get("mc_dropout", {}).get(network)
    return mc_dropout.ratios(entry, contestant, reference) if entry else None


def kernels_a_step(config: str, kind: str, entries: Entries) -> Spread | None:
    """Return the kernels of a training step on an H100, by its compiler, for the numbers of trials that are compiled.

    Args:
        config: Name of the network.
        kind: Kind of kernels, "xla" or "fused".
        entries: Entries of one device.

    Returns:
        The most kernels of all numbers of trials, as all three numbers. None if they were not counted.
    """
    entry = entries.get("kernels", {}).get(f"{config},h100" if kind == "xla" else f"{config},h100,{kind}")
    if entry is None or "kernels" not in entry:  # a record from before fused layers
        return None
    most = max(program["kernels_a_step"] for program in entry["programs"] if program["program"] == "epoch")
    return Spread(most, most, most)


def seconds_of_study(entries: Entries) -> Spread | None:
    """Return the seconds of a study of 7 learning rates x 20 seeds x 10 epochs, compilation included.

    Args:
        entries: Entries of one device.

    Returns:
        Seconds as all three numbers, or None if it was not run.
    """
    entry = entries.get("fused", {}).get("study")
    return None if entry is None else Spread(*(entry["study_seconds"],) * 3)


def caching(size: str, entries: Entries) -> Spread | None:
    """Return the time of a training that runs frozen layers in every step, over the time with their outputs cached.

    Args:
        size: Name of the size.
        entries: Entries of one device.

    Returns:
        Ratio of the times, or None if it was not measured.
    """
    entry = entries.get("transfer", {}).get(size)
    return transfer.ratios(entry, "jaxdeep-frozen", transfer.REFERENCE) if entry else None


def small_gain(task: str, entries: Entries) -> Spread | None:
    """Return the seconds of scikit-learn's process over the seconds of jaxdeep's.

    Args:
        task: Name of what the process does.
        entries: Entries of one device.

    Returns:
        Ratio of the times, or None if it was not measured.
    """
    entry = entries.get("small", {}).get(task)
    return small.gain(entry) if entry else None


def small_figure(task: str, figure: Literal["seconds", "milliseconds"], entries: Entries) -> Spread | None:
    """Return the seconds of jaxdeep's process, or the milliseconds of its slowest prediction.

    Args:
        task: Name of what the process does.
        figure: Name of the figure.
        entries: Entries of one device.

    Returns:
        The figure over the rounds, or None if it was not measured.
    """
    outcome = entries.get("small", {}).get(task, {"contestants": {}})["contestants"].get(small.JAXDEEP, {})
    return spread(outcome[figure]) if outcome.get(figure) else None


TORCH = ("torch", "torch-compile")
KERAS_JAX = ("keras-jax", "keras-jax-50")
KERNELS: Final = (
    ("selu", "fused", 36),
    ("alpha_dropout", "fused", 44),
    ("bn", "fused", 60),
    ("fashion_mnist/dropout", "xla", 30),
    ("selu", "xla", 110),
    ("bn", "xla", 230),
)
"""Network, kind of kernels and the most kernels of a step that are aimed at."""
TARGETS: Final = (
    Target(
        "selu-keras-tf",
        "`selu`: times Keras on TensorFlow's `fit`",
        "cpu",
        ">=",
        4,
        partial(speedup, "selu", ("keras-tf",)),
    ),
    Target("selu-torch", "`selu`: times PyTorch at its best", "cpu", ">=", 3, partial(speedup, "selu", TORCH)),
    Target(
        "selu-keras-jax-50",
        "`selu`: times Keras on JAX, `steps_per_execution=50`",
        "cpu",
        ">=",
        1.4,
        partial(speedup, "selu", ("keras-jax-50",)),
    ),
    Target(
        "selu-keras-jax-50-stretch", "the same, stretch", "cpu", ">=", 2, partial(speedup, "selu", ("keras-jax-50",))
    ),
    Target("selu-floor", "`selu`: share of the floor", "cpu", ">=", 0.75, partial(share_of_floor, "selu")),
    Target(
        "bn-keras-tf", "`bn`: times Keras on TensorFlow's `fit`", "cpu", ">=", 5, partial(speedup, "bn", ("keras-tf",))
    ),
    Target("bn-keras-jax", "`bn`: times Keras on JAX at its best", "cpu", ">=", 1.4, partial(speedup, "bn", KERAS_JAX)),
    Target("study", "`selu`: a study's images/s, times a single run's", "cpu", ">=", 1.4, partial(of_study, "selu")),
    Target("study-stretch", "the same, stretch", "cpu", ">=", 1.7, partial(of_study, "selu")),
    Target(
        "gpu-keras-jax", "`selu`: times Keras on JAX's `fit`", "gpu", ">=", 10, partial(speedup, "selu", ("keras-jax",))
    ),
    Target(
        "mc-keras-tf",
        "8e's network: 100 MC dropout samples, times Keras's loop on TensorFlow, as the chapter writes it",
        "cpu",
        ">=",
        50,
        partial(sampling, "alpha_dropout", "keras-tf-mc", "jaxdeep-mc"),
    ),
    Target(
        "mc-keras-tf-tensor",
        "the same, Keras's images a tensor beforehand",
        "cpu",
        ">=",
        50,
        partial(sampling, "alpha_dropout", "keras-tf-mc-tensor", "jaxdeep-mc"),
    ),
    Target(
        "mc-keras-tf-inputs",
        "Fashion-MNIST's network with dropout on its inputs: 100 MC dropout samples, times the chapter's loop",
        "cpu",
        ">=",
        1.5,
        partial(sampling, "dropout", "keras-tf-mc", "jaxdeep-mc"),
    ),
    Target(
        "mc-plain",
        "8e's network: 100 MC dropout samples, in plain passes",
        "cpu",
        "<",
        3,
        partial(sampling, "alpha_dropout", "jaxdeep-mc", "jaxdeep-plain"),
    ),
    Target(
        "transfer-cache",
        "a new output layer on five frozen ones, 500 rows: times the frozen layers in every step",
        "cpu",
        ">=",
        5,
        partial(caching, "mnist_500"),
    ),
    *(
        Target(
            f"kernels-{kind}-{config.rpartition('/')[2]}",
            f"`{config}`, {kind}: kernels a step on an H100, compiled and not run, most of 1, 8 and 128 trials",
            None,
            "<=",
            most,
            partial(kernels_a_step, config, kind),
        )
        for config, kind, most in KERNELS
    ),
    Target("gpu-study", "a study of `elu`, 7 rates x 20 seeds x 10 epochs, s", "gpu", "<", 60, seconds_of_study),
    Target("compile-20", "compilation of all, 20 layers, s", None, "<", 2.5, partial(compilation, "jaxdeep-cold", 20)),
    Target("compile-100", "compilation of all, 100 layers, s", None, "<", 4, partial(compilation, "jaxdeep-cold", 100)),
    Target(
        "compile-warm", "the same, 20 layers, cache warm, s", None, "<", 1, partial(compilation, "jaxdeep-warm", 20)
    ),
    Target(
        "small-fits",
        "digits: 5 fits in a second process, times scikit-learn's MLPClassifier",
        "cpu",
        ">=",
        1,
        partial(small_gain, "fits"),
    ),
    Target("small-study", "the same, a study of 25 runs", "cpu", ">=", 2, partial(small_gain, "study")),
    Target(
        "small-shapes",
        "digits: the whole process of eight shapes, cache empty, s",
        "cpu",
        "<=",
        10,
        partial(small_figure, "shapes", "seconds"),
    ),
    Target(
        "small-predict",
        "digits: the slowest prediction of 1 to 32 rows, ms",
        "cpu",
        "<",
        5,
        partial(small_figure, "predict", "milliseconds"),
    ),
    Target("small-import", "`import jaxdeep`, s", "cpu", "<", 1, partial(small_figure, "import", "seconds")),
    Target(
        "small-names",
        "`from jaxdeep import fit, run_study`, s",
        "cpu",
        "<",
        1,
        partial(small_figure, "names", "seconds"),
    ),
)
HEADERS = ("target", "aimed at", "measured", "verdict")


def table(entries: Entries, platform: str) -> list[tuple[str, ...]]:
    """Return a row for each target of a platform, the headers first.

    Args:
        entries: Entries of one device.
        platform: Platform of the device, "cpu" or "gpu".

    Returns:
        Rows of four cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for target in _of(platform):
        figure = target.measured(entries)
        verdict = NOT_MEASURED if figure is None else "met" if target.is_met(figure) else "**missed**"
        aimed = f"{target.sign} {target.limit:g}"
        rows.append((target.description, aimed, "-" if figure is None else _shown(figure), verdict))
    return rows


def _shown(figure: Spread) -> str:
    """Return a figure in words. What was counted has no spread."""
    return str(figure.median) if isinstance(figure.median, int) else f"{figure:.2f}"


def missed(entries: Entries, platform: str) -> list[Target]:
    """Return the targets of a platform that were measured and missed.

    Args:
        entries: Entries of one device.
        platform: Platform of the device, "cpu" or "gpu".

    Returns:
        Targets in the order of TARGETS.
    """
    measured = [(target, target.measured(entries)) for target in _of(platform)]
    return [target for target, figure in measured if figure is not None and not target.is_met(figure)]


def _of(platform: str) -> Iterator[Target]:
    """Return the targets of a platform."""
    return (target for target in TARGETS if target.platform in (None, platform))
