"""`mc_dropout`: mean and standard deviation of class probabilities over 100 passes with dropout on, of 10,000 images.

The networks are 8e's, 20 layers of 100 with alpha dropout before the output layer alone, and Fashion-MNIST's 300-100
with dropout on the inputs too, with the same initial weights for everyone. The images are standard normal numbers,
which jaxdeep and PyTorch hold as their own arrays before the time begins. The time ends with mean and standard
deviation on the host.

jaxdeep-mc is `mc_dropout` as it comes, with masks of 16 random bits a value; jaxdeep-mc-8 and -32 have 8 and 32. It
runs the layers before the first dropout once, and gives two entropies as well. jaxdeep-plain is one pass without
dropout. Keras runs the chapter's loop, all images in one call: `np.stack([model(x, training=True) for _ in
range(100)])`, x a NumPy array as there, which each call copies; for keras-tf-mc-tensor it is a tensor beforehand. The
loop would put batch normalisation in training mode too; neither network has any. PyTorch runs a loop in inference mode
with the dropout modules alone in training.

The first call compiles where there is something to compile. Memory is the peak of what is resident, compilation
included, beyond what was resident before the first call: the images, and what the preparation has left free. `std` is
the mean over images and classes. `noise` is the sum of the squared differences of the means from jaxdeep-mc's over
what Monte Carlo noise makes of it: 1 on the average where the work is the same. By these two, and by the probabilities
of a pass without dropout, a contestant does the same work or other work.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.contest import contest, failed_row
from bench.contestants import PREDICTORS
from bench.networks import MC_DROPOUT
from bench.options import Options, say
from bench.peers.predictor import SAMPLES
from bench.rounds import Spread, ratio, spread
from bench.sanity import judged_predictions
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
    """Every network: a contest, an entry, a table."""
    from bench.workload import normal_rows  # imports JAX

    present, left_out = options.taking_part(tuple(PREDICTORS))
    if not present:
        return
    for name in options.configs or MC_DROPOUT:
        say(f"{QUESTION} of {name}: {', '.join(present)}")
        network = MC_DROPOUT[name]
        asked = {"work": "prediction", "afterwards": ("memory", "probabilities")}
        outcomes = contest(present, normal_rows(network, IMAGES), options.rounds, **asked)
        entry = {
            "config": name,
            "images": IMAGES,
            "inputs": network.inputs,
            "samples": SAMPLES,
            "data": "standard normal",
            "synthetic": True,
            "contestants": judged_predictions(outcomes, SAMPLES),
            "left_out": left_out,
        }
        options.keep(QUESTION, name, ("--configs", name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """What an entry measured, in words."""
    size = f"{entry['images']:,} images of {entry['inputs']:,} standard normal numbers (SYNTHETIC)"
    return f"{entry['config']}: {entry['samples']} samples of {size}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each contestant, the headers first."""
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
    return "-" if value is None else format(value, spec)


def seconds(entry: Mapping[str, Any], name: str) -> Sequence[float]:
    """Of a contestant's predictions, a value a round."""
    return [prediction["seconds"] for prediction in entry["contestants"][name]["predictions"]]


def ratios(entry: Mapping[str, Any], name: str, reference: str) -> Spread | None:
    """A contestant's time over another's; None where one of them takes no part, failed or does other work."""
    both = [entry["contestants"].get(one) for one in (name, reference)]
    if any(outcome is None or outcome.get("failed") or outcome["other_work"] for outcome in both):
        return None
    return ratio(seconds(entry, name), seconds(entry, reference))
