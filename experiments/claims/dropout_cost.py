"""The cost of dropout and of MC dropout at inference."""

import time
from typing import Final

import jax
import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import ratio
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.tables import estimate_text
from experiments.lab.timing import NOTE, ROUNDS, batch_microseconds, epoch_seconds
from jaxdeep import Run, mc_predict

SHORT: Final = BASE.updated({"data.train_size": 5_000, "train.epochs": 2})
ARMS: Final = {"no dropout": {}, "dropout": {"model.dropout_sites": "every", "model.dropout_rate": 0.2}}
BATCH: Final = 1_000
SAMPLES: Final = (2, 20, 200)


def mc_seconds(run: Run, images: np.ndarray, rounds: int) -> dict[int, list[float]]:
    """Return the seconds of MC dropout on 1,000 images in each round, by the number of samples.

    Args:
        run: Trained network with dropout.
        images: Images [N, H, W, C].
        rounds: Number of rounds.
    """
    seconds: dict[int, list[float]] = {samples: [] for samples in SAMPLES}
    for turn in range(-1, rounds):
        for samples in SAMPLES:
            began = time.perf_counter()
            jax.block_until_ready(mc_predict(run, images, jax.random.key(max(turn, 0)), samples).mean)
            if turn >= 0:  # the first round compiles
                seconds[samples].append(time.perf_counter() - began)
    return seconds


def measure(lab: Lab) -> Outcome:
    """Time predictions with and without dropout layers, and MC dropout by its number of samples."""
    configs = arms_of(SHORT, ARMS)
    images = lab.images()
    runs = {name: lab.runs(config, seeds=1)[0] for name, config in configs.items()}
    times = batch_microseconds(lab, runs, BATCH)
    epochs = epoch_seconds(lab, configs)
    by_mc = mc_seconds(runs["dropout"], images.test_images[:BATCH], 3 if lab.quick else ROUNDS)
    parts = [
        Part(
            "inference, dropout / none",
            "At inference dropout costs less than 5%.",
            ratio(times["dropout"], times["no dropout"]),
            RATIO,
            0.0,
            1.05,
        ),
        Part(
            "epoch, dropout / none",
            "An epoch takes less than 1.5 times as long.",
            ratio(epochs["dropout"], epochs["no dropout"]),
            RATIO,
            0.0,
            1.5,
        ),
        Part(
            "MC, 200 / 20 samples",
            "200 samples take 8 to 12 times as long as 20.",
            ratio(by_mc[200], by_mc[20]),
            RATIO,
            8.0,
            12.0,
        ),
        Part(
            "MC, 20 / 2 samples",
            "20 samples take 8 to 12 times as long as 2.",
            ratio(by_mc[20], by_mc[2]),
            RATIO,
            8.0,
            12.0,
        ),
    ]
    rows = [[name, estimate_text(of, 0)] for name, of in times.items()]
    rows += [[f"MC, {samples} samples", estimate_text([1e6 * one for one in of], 0)] for samples, of in by_mc.items()]
    table = Table(f"Microseconds for {BATCH:,} images", ["", "microseconds"], rows)
    return Outcome(parts, [table], notes=f"5 x 100 units. {NOTE}")


CLAIM: Final = Claim(
    name="dropout_cost",
    statement="Dropout costs nothing at inference. MC dropout with N samples costs N times as much.",
    section="Dropout",
    hypothesis="A batch takes the same time with dropout layers. Ten times the samples take 8 to 12 times as long.",
    measure=measure,
    questions=(7,),
)
