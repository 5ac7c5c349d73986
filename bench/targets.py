"""What was aimed at, and what the latest records of a device say of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from bench import mc_dropout
from bench.floor import share
from bench.rounds import Spread, ratio, spread
from bench.throughput import ratios, step_ms

Entries = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Of one device, by question and workload."""
NOT_MEASURED: Final = "not measured"


class Target(NamedTuple):
    """A figure that is to be reached.

    Attributes:
        name: of its note in notes.md.
        description: in words.
        platform: where it holds; None: everywhere.
        sign: on which side of the limit it is to be.
        limit: of the median.
        measured: entries -> the figure; None where it was not measured.
    """

    name: str
    description: str
    platform: Literal["cpu", "gpu"] | None
    sign: Literal[">=", "<"]
    limit: float
    measured: Callable[[Entries], Spread | None]

    def is_met(self, figure: Spread) -> bool:
        """By a figure's median."""
        return figure.median >= self.limit if self.sign == ">=" else figure.median < self.limit


def speedup(config: str, peers: Sequence[str], entries: Entries) -> Spread | None:
    """The time of the quickest of some peers over jaxdeep's, at 20 layers and a batch size of 32."""
    entry = entries.get("throughput", {}).get(f"{config},batch=32,layers=20")
    if entry is None or "jaxdeep" not in entry["contestants"]:
        return None
    found = [ratios(entry, peer) for peer in peers if peer in entry["contestants"]]
    return min((times for times in found if times is not None), default=None, key=lambda times: times.median)


def of_study(config: str, entries: Entries) -> Spread | None:
    """The time of a single run's step over that of a member's step in a study on all cores."""
    entry = entries.get("sweep", {}).get(f"{config},batch=32,layers=20")
    if entry is None or not {"jaxdeep", "jaxdeep-study"} <= entry["contestants"].keys():
        return None
    return ratio(step_ms(entry, "jaxdeep"), step_ms(entry, "jaxdeep-study"))


def compilation(command: str, layers: int, entries: Entries) -> Spread | None:
    """Seconds in which a jaxdeep command compiles all programs of a run."""
    entry = entries.get("startup", {}).get(f"selu,layers={layers}", {"contestants": {}})
    seconds = entry["contestants"].get(command, {}).get("compile_seconds")
    return spread(seconds) if seconds else None


def share_of_floor(config: str, entries: Entries) -> Spread | None:
    """The floor over the time of jaxdeep's step, at 20 layers and a batch size of 32."""
    entry = entries.get("floor", {}).get(f"{config},batch=32,layers=20")
    return share(entry) if entry else None


def sampling(network: str, contestant: str, reference: str, entries: Entries) -> Spread | None:
    """The time of a contestant's prediction over that of another's."""
    entry = entries.get("mc_dropout", {}).get(network)
    return mc_dropout.ratios(entry, contestant, reference) if entry else None


TORCH = ("torch", "torch-compile")
KERAS_JAX = ("keras-jax", "keras-jax-50")
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
        "Fashion-MNIST's network with dropout on its inputs: likewise, as the chapter writes it",
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
    Target("compile-20", "compilation of all, 20 layers, s", None, "<", 2.5, partial(compilation, "jaxdeep-cold", 20)),
    Target("compile-100", "compilation of all, 100 layers, s", None, "<", 4, partial(compilation, "jaxdeep-cold", 100)),
    Target(
        "compile-warm", "the same, 20 layers, cache warm, s", None, "<", 1, partial(compilation, "jaxdeep-warm", 20)
    ),
)
HEADERS = ("target", "aimed at", "measured", "verdict")


def table(entries: Entries, platform: str) -> list[tuple[str, ...]]:
    """A row for each target of a platform, the headers first."""
    rows: list[tuple[str, ...]] = [HEADERS]
    for target in _of(platform):
        figure = target.measured(entries)
        verdict = NOT_MEASURED if figure is None else "met" if target.is_met(figure) else "**missed**"
        aimed = f"{target.sign} {target.limit:g}"
        rows.append((target.description, aimed, "-" if figure is None else f"{figure:.2f}", verdict))
    return rows


def missed(entries: Entries, platform: str) -> list[Target]:
    """The targets of a platform that were measured and missed."""
    measured = [(target, target.measured(entries)) for target in _of(platform)]
    return [target for target, figure in measured if figure is not None and not target.is_met(figure)]


def _of(platform: str) -> Iterator[Target]:
    return (target for target in TARGETS if target.platform in (None, platform))
