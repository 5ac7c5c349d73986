"""Predictions of trained networks: each network as it is, its mean by MC dropout and the ensemble of all."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.calibration import temperature
from jaxdeep.analysis.ensembles import ensemble
from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.metrics import SMALLEST
from jaxdeep.analysis.uncertainty import Uncertainty, mc_of_stored_rows, pooled
from jaxdeep.nn.layers import MaskBits
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import probabilities as probabilities_of

VALID: Final = "valid"
"""Name of the validation images."""
TEST: Final = "test"
"""Name of the test images."""
BLOCK: Final = 100
"""Largest number of samples in a block. A block that keeps them takes 40 MB for 10,000 images in 10 classes."""
FEWEST_LEFT_OUT: Final = 3
"""Smallest number of networks whose ensemble is still an ensemble without one of them."""

RowsByName = Mapping[str, np.ndarray]
"""Rows [N, D] as the data set stores them, by name: `valid`, `test`, and the names of other sets.

`checked_rows(dataset, rows, check=False)` brings rows of another set into this form.
"""


@dataclass(frozen=True)
class Answers:
    """Predictions of R networks or ensembles for N images.

    Attributes:
        probabilities: Class probabilities [R, N, C].
        information: Mutual information of class and weights [R, N] in nats. None for single
            networks without samples and for scaled probabilities.
    """

    probabilities: np.ndarray
    information: np.ndarray | None = None


@dataclass(frozen=True)
class Predictor:
    """A way to make predictions with S trained networks.

    Attributes:
        name: Name of the way such as "mc_dropout".
        answers: Predictions by the name of the images. R is S if each network is a predictor of its own. For an
            ensemble, the first entry is the ensemble of all networks. Any others leave out one network each.
        is_ensemble: Whether all networks together are one predictor.
        temperatures: Temperatures [R] that divide the logits. None if nothing divides them.
    """

    name: str
    answers: Mapping[str, Answers]
    is_ensemble: bool = False
    temperatures: np.ndarray | None = None

    def jackknifed(self, values: Sequence[float] | np.ndarray) -> Jackknifed:
        """Return a figure of the S networks with its values without each of them.

        Args:
            values: Figure of each network or ensemble [R].

        Returns:
            The ensemble's figure or the mean over networks.
        """
        return Jackknifed(float(values[0]), np.asarray(values[1:])) if self.is_ensemble else Jackknifed.mean(values)

    def over_networks(self, values: np.ndarray) -> np.ndarray:
        """Return a score of each image over all networks.

        Args:
            values: Score of each image by each network or ensemble [R, N].

        Returns:
            Score of the ensemble or mean over the networks [N].
        """
        return values[0] if self.is_ensemble else values.mean(0)


def plain_predictor(runs: Sequence[Run], images: RowsByName) -> Predictor:
    """Return the predictions of networks as they are.

    Args:
        runs: Finished runs of S seeds.
        images: Rows [N, D] to predict by name.

    Returns:
        Predictor with probabilities [S, N, C].
    """

    def predicted(run: Run, rows: np.ndarray) -> np.ndarray:
        return np.asarray(probabilities_of(run.config, run.params, run.batch_stats, run.data, jnp.asarray(rows)))

    answers = {name: Answers(np.stack([predicted(run, rows) for run in runs])) for name, rows in images.items()}
    return Predictor("plain", answers)


def ensemble_of(networks: Predictor) -> Predictor:
    """Return the ensemble that averages the networks' probabilities.

    Args:
        networks: Predictor of S separate networks. If S is 3 or more, the ensembles without each network follow.

    Returns:
        Predictor with probabilities [R, N, C]. R is 1 + S. It is 1 for two networks.

    Raises:
        UserError: There are fewer than 2 networks.
    """

    def averaged(probabilities: np.ndarray) -> Answers:
        count = len(probabilities)
        left_out = range(count) if count >= FEWEST_LEFT_OUT else ()
        ensembles = [ensemble(probabilities), *(ensemble(np.delete(probabilities, index, 0)) for index in left_out)]
        return Answers(
            np.stack([np.asarray(uncertainty.mean) for uncertainty in ensembles]),
            np.stack([np.asarray(uncertainty.mutual_information) for uncertainty in ensembles]),
        )

    answers = {name: averaged(answer.probabilities) for name, answer in networks.answers.items()}
    return Predictor("ensemble", answers, is_ensemble=True)


def at_temperature(predictor: Predictor, labels: np.ndarray) -> Predictor:
    """Return a predictor whose logits are divided by the temperature with the lowest validation NLL.

    The logarithms of its probabilities serve as logits.

    Args:
        predictor: Predictor with answers for `valid`.
        labels: Integer labels [N] of the validation images.

    Returns:
        Predictor with scaled probabilities [R, N, C] and its temperatures [R].

    Source: Guo et al., "On calibration of modern neural networks" (2017), section 4.2. For means of probabilities,
    Rahaman and Thiery, "Uncertainty quantification and deep ensembles" (2021), "pool then calibrate".
    """
    logits = {name: _logarithms(answer.probabilities) for name, answer in predictor.answers.items()}
    temperatures = np.asarray([temperature(valid_logits, labels) for valid_logits in logits[VALID]])
    answers = {name: Answers(_softmax(values / temperatures[:, None, None])) for name, values in logits.items()}
    return Predictor(f"{predictor.name}, scaled", answers, predictor.is_ensemble, temperatures)


@dataclass(frozen=True)
class McSamples:
    """Predictions of S networks by MC dropout.

    Attributes:
        predictor: Predictor that averages the samples of each network.
        means: Mean probabilities [S, N, C] of the first m samples by `valid` or `test` and by m.
        first: Probabilities of the first test image by all samples [S, M, C].
    """

    predictor: Predictor
    means: Mapping[str, Mapping[int, np.ndarray]]
    first: np.ndarray


def mc_samples_of(runs: Iterable[Run], images: RowsByName, samples: int, mask_bits: MaskBits = 16) -> McSamples:
    """Return the predictions of networks by MC dropout. The masks of each network depend on its seed.

    Args:
        runs: Finished runs of S seeds.
        images: Rows [N, D] to predict by name. They include `valid` and `test`.
        samples: Number of samples M of each network and image, 2 or more.
        mask_bits: Random bits for each value of a mask. With 16 the rate is the nearest multiple of 1/65536.

    Returns:
        Mean probabilities of each network, their course over samples and all samples of the first test image.

    Raises:
        UserError: A network has no dropout or there are fewer than 2 samples.
    """
    counts = counts_of(samples)
    by_name: dict[str, list[Uncertainty]] = {name: [] for name in images}
    running_means: dict[str, list[_Running]] = {VALID: [], TEST: []}
    for run in runs:
        for name, rows in images.items():
            running = _Running(counts)
            parts = []
            for block in _blocks(run, name, rows, samples, mask_bits):
                if block.samples is not None:
                    running.add(np.asarray(block.samples))
                parts.append(jax.device_get(block._replace(samples=None)))  # or calls queue up, each with its images
            by_name[name].append(pooled(parts, _sizes(samples)))
            if name in running_means:
                running_means[name].append(running)
    answers = {
        name: Answers(
            np.stack([np.asarray(uncertainty.mean) for uncertainty in uncertainties]),
            np.stack([np.asarray(uncertainty.mutual_information) for uncertainty in uncertainties]),
        )
        for name, uncertainties in by_name.items()
    }
    means = {
        name: {count: np.stack([running.means[count] for running in runnings]) for count in counts}
        for name, runnings in running_means.items()
    }
    first = np.stack([np.concatenate(running.first) for running in running_means[TEST]])
    return McSamples(Predictor("mc_dropout", answers), means, first)


def counts_of(samples: int) -> list[int]:
    """Return the numbers of samples whose means are shown: 1, 2, 5, 10, 20, 50, ... and the number itself.

    Args:
        samples: Number of samples, 1 or more.

    Returns:
        Numbers in ascending order. The last one is `samples`.

    >>> counts_of(60)
    [1, 2, 5, 10, 20, 50, 60]
    """
    decades = range(len(str(samples)))
    return sorted(
        {digit * 10**decade for decade in decades for digit in (1, 2, 5) if digit * 10**decade < samples} | {samples}
    )


class _Running:
    """Running means of the first samples over blocks."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = counts
        self.means: dict[int, np.ndarray] = {}
        self.first: list[np.ndarray] = []
        self._total: np.ndarray | float = 0.0
        self._done = 0

    def add(self, samples: np.ndarray) -> None:
        """Add the next samples.

        Args:
            samples: Class probabilities [m, N, C].
        """
        end = self._done + len(samples)
        for count in self.counts:
            if self._done < count <= end:
                part = samples[: count - self._done].sum(0, dtype=np.float64)
                self.means[count] = ((self._total + part) / count).astype(samples.dtype)
        self._total, self._done = self._total + samples.sum(0, dtype=np.float64), end
        self.first.append(samples[:, 0].copy())  # a view would keep all samples


def _blocks(run: Run, name: str, rows: np.ndarray, samples: int, mask_bits: MaskBits) -> Iterator[Uncertainty]:
    """Yield the predictions of a run by MC dropout, block by block. Only `valid` and `test` keep their samples."""
    key = jax.random.fold_in(jax.random.key(run.seed), zlib.crc32(f"mc_dropout {name}".encode()))
    for index, size in enumerate(_sizes(samples)):
        block_key, keep_samples = jax.random.fold_in(key, index), name in (VALID, TEST)
        yield mc_of_stored_rows(run, rows, block_key, size, mask_bits=mask_bits, keep_samples=keep_samples)


def _sizes(samples: int) -> list[int]:
    """Return the sizes of the blocks. They are nearly equal. No block has a single sample."""
    count = -(-samples // BLOCK)
    return [len(part) for part in np.array_split(np.empty(samples), count)]


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)
