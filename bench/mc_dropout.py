"""`mc_dropout`: mean and standard deviation of class probabilities over 100 passes with dropout on, of 10,000 images.

The first network is 8e's, 20 layers of 100 with alpha dropout before the output layer alone. The second is
Fashion-MNIST's 300-100 with dropout on the inputs too. All contestants have the same initial weights. The images are
standard normal numbers. jaxdeep and PyTorch hold them as their own arrays before the time begins. The time ends with
mean and standard deviation on the host.

jaxdeep-mc is `mc_dropout` by default, with masks of 16 random bits a value. jaxdeep-mc-8 and -32 have 8 and 32 bits.
`mc_dropout` runs the layers before the first dropout once, and returns two entropies as well. jaxdeep-plain is one pass
without dropout.

Keras runs the chapter's loop, all images in one call: `np.stack([model(x, training=True) for _ in range(100)])`. There
x is a NumPy array, which each call copies. keras-tf-mc-tensor makes it a tensor beforehand. The loop would put batch
normalisation in training mode too, but neither network has any. PyTorch runs a loop in inference mode with the dropout
modules alone in training.

The first call includes any compilation. Memory is the peak of resident bytes, compilation included, beyond the bytes
before the first call. These were the images and the free memory that the preparation left. `std` is the mean over
images and classes. `noise` compares the means with jaxdeep-mc's. It is the sum of their squared differences over the
sum that Monte Carlo noise makes. It is 1 on the average if the work is the same. A contestant does the same work if
these two agree, and the probabilities of a pass without dropout.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.contest import contest, failed_row
from bench.contestants import PREDICTORS
from bench.networks import MC_DROPOUT
from bench.options import Options, say
from bench.peers.predictor import SAMPLES
from bench.rounds import Spread, ratio, spread
from bench.sanity import checked_predictions
from jaxdeep.report.layout import fitted

QUESTION = "mc_dropout"
IMAGES = 10_000
REFERENCE, PLAIN = "jaxdeep-mc", "jaxdeep-plain"
HEADERS = (
    "contestant",
    "s",
    f"time / {REFERENCE}'s",
    "in plain passes",
    "first call, s",
    "memory, MB",
    "std",
    "noise",
    "products",
    "remark",
)


def run(options: Options) -> None:
    """Run a contest for every network, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    from bench.workload import normal_rows  # imports JAX

    present, left_out = options.taking_part(tuple(PREDICTORS))
    if not present:
        return
    for name in options.configs or MC_DROPOUT:
        say(f"{QUESTION} of {name}: {', '.join(present)}")
        network = MC_DROPOUT[name]
        workload, afterwards = normal_rows(network, IMAGES), ("memory", "probabilities")
        outcomes = contest(present, workload, options.rounds, work="prediction", afterwards=afterwards)
        entry = {
            "config": name,
            "images": IMAGES,
            "inputs": network.inputs,
            "samples": SAMPLES,
            "data": "standard normal",
            "synthetic": True,
            "contestants": checked_predictions(outcomes, SAMPLES),
            "left_out": left_out,
        }
        options.keep(QUESTION, name, ("--configs", name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    size = f"{entry['images']:,} images of {entry['inputs']:,} standard normal numbers (SYNTHETIC)"
    return f"{entry['config']}: {entry['samples']} samples of {size}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of ten cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for name, outcome in entry["contestants"].items():
        if failed := failed_row(name, outcome, HEADERS):
            rows.append(failed)
            continue
        figures = outcome["agreement"]
        rows.append(
            (
                name,
                f"{spread(seconds(entry, name)):.3f}",
                _cell(ratios(entry, name, REFERENCE), ".2f"),
                _cell(ratios(entry, name, PLAIN), ".1f"),
                f"{outcome['warm_up']['seconds']:.2f}",
                f"{max(outcome['memory']['work_bytes'], 0) / 1e6:,.0f}",
                _cell(figures["std"], ".4f"),
                "-" if name == REFERENCE else _cell(figures["noise"], ".2f"),
                outcome["precision"],
                f"OTHER WORK: {outcome['other_work']}" if outcome["other_work"] else "",
            )
        )
    return rows


def _cell(value: Any, spec: str) -> str:
    """Return a formatted value, or "-" for None."""
    return "-" if value is None else format(value, spec)


def seconds(entry: Mapping[str, Any], name: str) -> Sequence[float]:
    """Return the seconds of a contestant's predictions.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.

    Returns:
        One value for each round.
    """
    return [prediction["seconds"] for prediction in entry["contestants"][name]["predictions"]]


def ratios(entry: Mapping[str, Any], name: str, reference: str) -> Spread | None:
    """Return a contestant's time over another's, or None if either takes no part, failed or does other work.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.
        reference: Name of the contestant to compare with.

    Returns:
        Ratio of the medians, with the smallest and the largest ratio within a round.
    """
    both = [entry["contestants"].get(contestant) for contestant in (name, reference)]
    if any(outcome is None or outcome.get("failed") or outcome["other_work"] for outcome in both):
        return None
    return ratio(seconds(entry, name), seconds(entry, reference))
