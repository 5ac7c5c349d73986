"""What trained networks say of images: each as it is, by MC dropout, and all together as an ensemble."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.ensembles import ensemble
from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.metrics import SMALLEST, temperature
from jaxdeep.analysis.uncertainty import Uncertainty, mc_of_stored_rows, pooled
from jaxdeep.nn.layers import MaskBits
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import probabilities as probabilities_of

VALID: Final = "valid"
TEST: Final = "test"
BLOCK: Final = 100
"""Samples that are kept at a time where they are wanted: 40 MB of 10,000 images in 10 classes."""
FEWEST_LEFT_OUT: Final = 3
"""Members of an ensemble from which one can be left out, and the rest is one still."""

RowsByName = Mapping[str, np.ndarray]
"""Rows [N, D] as the data set stores rows, by name: `valid`, `test`, and the names of other sets.

Rows of another set become it by `checked_rows(dataset, rows, check=False)`."""


@dataclass(frozen=True)
class Answers:
    """What R predictors say of N images.

    Attributes:
        probabilities: [R, N, C].
        information: [R, N], the mutual information of class and network, in nats; None where there is one network.
    """

    probabilities: np.ndarray
    information: np.ndarray | None = None


@dataclass(frozen=True)
class Predictor:
    """A way to make predictions of S trained networks.

    Attributes:
        name: of the way.
        answers: by the name of the images; R is S where each network is a predictor of its own. Of an ensemble, the
            first is that of all networks, the others those of all but one; or there is only the first.
        is_ensemble: whether all networks are one predictor.
        temperatures: [R], by which logits are divided; None: they are not.
    """

    name: str
    answers: Mapping[str, Answers]
    is_ensemble: bool = False
    temperatures: np.ndarray | None = None

    def jackknifed(self, values: Sequence[float] | np.ndarray) -> Jackknifed:
        """A figure of the S networks.

        Args:
            values: [R], of each predictor.
        """
        return Jackknifed(float(values[0]), np.asarray(values[1:])) if self.is_ensemble else Jackknifed.mean(values)

    def over_networks(self, values: np.ndarray) -> np.ndarray:
        """A figure of each image, by all networks.

        Args:
            values: [R, N], of each predictor.

        Returns:
            [N]: the ensemble's, or the mean over the networks.
        """
        return values[0] if self.is_ensemble else values.mean(0)


def plain(runs: Sequence[Run], images: RowsByName) -> Predictor:
    """The networks as they are.

    Args:
        runs: of S seeds.
        images: to be told.
    """

    def of_run(run: Run, rows: np.ndarray) -> np.ndarray:
        return np.asarray(probabilities_of(run.config, run.params, run.batch_stats, run.data, jnp.asarray(rows)))

    answers = {name: Answers(np.stack([of_run(run, rows) for run in runs])) for name, rows in images.items()}
    return Predictor("plain", answers)


def ensemble_of(networks: Predictor) -> Predictor:
    """The mean of the networks' probabilities.

    Args:
        networks: S of them, each a predictor of its own; those of 3 and more are also taken without one of them.
    """

    def together(probabilities: np.ndarray) -> Answers:
        count = len(probabilities)
        left_out = range(count) if count >= FEWEST_LEFT_OUT else ()
        found = [ensemble(probabilities), *(ensemble(np.delete(probabilities, one, 0)) for one in left_out)]
        return Answers(
            np.stack([np.asarray(of.mean) for of in found]),
            np.stack([np.asarray(of.mutual_information) for of in found]),
        )

    answers = {name: together(of.probabilities) for name, of in networks.answers.items()}
    return Predictor("ensemble", answers, is_ensemble=True)


def at_temperature(predictor: Predictor, labels: np.ndarray) -> Predictor:
    """The same with the logarithms of its probabilities divided by a temperature: that with the lowest validation NLL.

    Args:
        predictor: with answers for `valid`.
        labels: [N], of the validation images.

    Source: Guo et al., "On calibration of modern neural networks" (2017), section 4.2; of means of probabilities,
    Rahaman and Thiery, "Uncertainty quantification and deep ensembles" (2021), "pool then calibrate".
    """
    logits = {name: _logarithms(of.probabilities) for name, of in predictor.answers.items()}
    temperatures = np.asarray([temperature(of_one, labels) for of_one in logits[VALID]])
    answers = {name: Answers(_softmax(of / temperatures[:, None, None])) for name, of in logits.items()}
    return Predictor(f"{predictor.name}, scaled", answers, predictor.is_ensemble, temperatures)


@dataclass(frozen=True)
class McSamples:
    """MC dropout of S networks.

    Attributes:
        predictor: each network's mean over its samples.
        means: `valid` and `test` -> number of samples -> [S, N, C], the mean of the first so many of them.
        first: [S, M, C], all samples of the first test image.
    """

    predictor: Predictor
    means: Mapping[str, Mapping[int, np.ndarray]]
    first: np.ndarray


def mc_samples_of(runs: Iterable[Run], images: RowsByName, samples: int, mask_bits: MaskBits = 16) -> McSamples:
    """The networks by MC dropout, each seed's with masks of its own.

    Args:
        runs: of S seeds.
        images: to be told; `valid` and `test` are among them.
        samples: M, of each network and image.
        mask_bits: as of `mc_dropout`.

    Raises:
        UserError: as `mc_dropout`.
    """
    counts = counts_of(samples)
    found: dict[str, list[Uncertainty]] = {name: [] for name in images}
    followed: dict[str, list[_Running]] = {VALID: [], TEST: []}
    for run in runs:
        for name, rows in images.items():
            running = _Running(counts)
            parts = []
            for block in _blocks(run, name, rows, samples, mask_bits):
                if block.samples is not None:
                    running.add(np.asarray(block.samples))
                parts.append(jax.device_get(block._replace(samples=None)))  # or calls queue up, each with its images
            found[name].append(pooled(parts, _sizes(samples)))
            if name in followed:
                followed[name].append(running)
    answers = {
        name: Answers(
            np.stack([np.asarray(of.mean) for of in of_runs]),
            np.stack([np.asarray(of.mutual_information) for of in of_runs]),
        )
        for name, of_runs in found.items()
    }
    means = {
        name: {count: np.stack([of.means[count] for of in of_runs]) for count in counts}
        for name, of_runs in followed.items()
    }
    first = np.stack([np.concatenate(of.first) for of in followed[TEST]])
    return McSamples(Predictor("mc_dropout", answers), means, first)


def counts_of(samples: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... and the number itself: of how many samples a mean is worth a look.

    >>> counts_of(60)
    [1, 2, 5, 10, 20, 50, 60]
    """
    decades = range(len(str(samples)))
    return sorted(
        {digit * 10**decade for decade in decades for digit in (1, 2, 5) if digit * 10**decade < samples} | {samples}
    )


class _Running:
    """Means of the first samples, block by block."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = counts
        self.means: dict[int, np.ndarray] = {}
        self.first: list[np.ndarray] = []
        self._total: np.ndarray | float = 0.0
        self._done = 0

    def add(self, drawn: np.ndarray) -> None:
        """Go on with the next samples [m, N, C]."""
        behind = self._done + len(drawn)
        for count in self.counts:
            if self._done < count <= behind:
                part = drawn[: count - self._done].sum(0, dtype=np.float64)
                self.means[count] = ((self._total + part) / count).astype(drawn.dtype)
        self._total, self._done = self._total + drawn.sum(0, dtype=np.float64), behind
        self.first.append(drawn[:, 0].copy())  # a view would keep all samples


def _blocks(run: Run, name: str, rows: np.ndarray, samples: int, mask_bits: MaskBits) -> Iterator[Uncertainty]:
    key = jax.random.fold_in(jax.random.key(run.seed), zlib.crc32(f"mc_dropout {name}".encode()))
    for index, size in enumerate(_sizes(samples)):
        block_key, keep_samples = jax.random.fold_in(key, index), name in (VALID, TEST)
        yield mc_of_stored_rows(run, rows, block_key, size, mask_bits=mask_bits, keep_samples=keep_samples)


def _sizes(samples: int) -> list[int]:
    """Of the blocks: nearly equal, so that none has a single sample."""
    count = -(-samples // BLOCK)
    return [len(part) for part in np.array_split(np.empty(samples), count)]


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)
