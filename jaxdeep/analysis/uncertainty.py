"""What a network does not know: Monte Carlo dropout, and ensembles."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Model, Params
from jaxdeep.nn.layers import MaskBits

GROUP: Final = 10
"""Samples at a time, of each image."""
VALUES: Final = 2_000_000
"""That a layer takes in at a time, of a group's samples of some images: what caches hold."""


class Uncertainty(NamedTuple):
    """Class probabilities over M samples, or members, for N images.

    Attributes:
        mean: [N, C], mean probabilities.
        std: [N, C], their standard deviation over the samples (the population's, as NumPy's `std`).
        entropy: [N], of the mean probabilities, in nats: all doubt there is.
        mutual_information: [N], entropy less the samples' mean entropy: the doubt that more data would end.
        samples: [M, N, C], the probabilities themselves where they were asked for.
    """

    mean: jax.Array
    std: jax.Array
    entropy: jax.Array
    mutual_information: jax.Array
    samples: jax.Array | None = None


def _rows_at_a_time(model: Model) -> int:
    first = model.first_dropout or 0
    widest = max(stack.inputs for stack in model.stacks if stack.first + stack.length > first)
    return max(VALUES // (GROUP * widest), 1)


class _Sums(NamedTuple):
    """Of the samples so far: deviations from a reference [N, C], their squares [N, C], entropies [N]."""

    deviations: jax.Array
    squares: jax.Array
    entropies: jax.Array


def features(model: Model, params: Params, batch_stats: BatchStats, images: jax.Array, stop: int) -> jax.Array:
    """What the layers before one of them make of images: constant where these layers are, so computed once.

    Args:
        model: the network.
        params: its weights.
        batch_stats: its batch statistics.
        images: [N, D], as they enter the network.
        stop: index of the first layer that is not run.

    Returns:
        [N, units].
    """
    return model.apply(params, batch_stats, images, stop=stop)[0]


def mc_dropout(
    model: Model,
    params: Params,
    batch_stats: BatchStats,
    images: jax.Array,
    key: jax.Array,
    samples: int = 100,
    *,
    dropout_rate: float,
    mask_bits: MaskBits = 16,
    keep_samples: bool = False,
) -> Uncertainty:
    """Probabilities over passes with dropout on, batch normalisation by its moving statistics.

    The layers before the first dropout run once, and the others `samples` times, a mask for each image and sample. The
    moments are added up as the samples come: memory does not grow with their number.

    Args:
        model: the network.
        params: its weights.
        batch_stats: its batch statistics.
        images: [N, D], as they enter the network.
        key: of all masks.
        samples: M, 2 or more.
        dropout_rate: of the masks.
        mask_bits: random bits for each value of a mask: with 16, the rate is the nearest multiple of 1/65536.
        keep_samples: give the samples too: M x N x C numbers.

    Returns:
        Moments and doubts of every image.

    Raises:
        UserError: nothing would be random, as `check_mc_dropout` has it.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation" (2016); the mutual information is that of
    Houlsby et al., "Bayesian active learning for classification and preference learning" (2011).
    """
    check_mc_dropout(model, dropout_rate, samples)
    count = len(images)
    rows = min(_rows_at_a_time(model), count)
    padded = jnp.pad(images, ((0, -count % rows), (0, 0)), mode="edge")
    chunks = padded.reshape(-1, rows, images.shape[1])
    rate = jnp.asarray(dropout_rate, images.dtype)
    found = _of_chunks(model, samples, mask_bits, keep_samples, params, batch_stats, chunks, key, rate)
    *of_images, kept = found
    moments = (leaf.reshape(-1, *leaf.shape[2:])[:count] for leaf in of_images)
    drawn = None if kept is None else kept.swapaxes(0, 1).reshape(samples, -1, kept.shape[-1])[:, :count]
    return Uncertainty(*moments, samples=drawn)


def check_mc_dropout(model: Model, dropout_rate: float, samples: int) -> None:
    """Refuse passes of which nothing would be random.

    Args:
        model: the network.
        dropout_rate: of its masks.
        samples: passes.

    Raises:
        UserError: no dropout in the network, a rate of 0, or fewer than 2 samples.
    """
    if model.first_dropout is None:
        raise UserError("MC dropout of a network without dropout: every pass would be the same")
    if dropout_rate <= 0:
        raise UserError(f"MC dropout with model.dropout_rate {dropout_rate}: every pass would be the same")
    if samples < 2:
        raise UserError(f"MC dropout with {samples} samples; allowed: 2 or more")


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _of_chunks(
    model: Model,
    samples: int,
    mask_bits: MaskBits,
    keep_samples: bool,
    params: Params,
    batch_stats: BatchStats,
    chunks: jax.Array,
    key: jax.Array,
    rate: jax.Array,
) -> Any:
    """Chunk by chunk: [chunks, rows, ...]."""
    first = model.first_dropout or 0
    groups, rest = divmod(samples, GROUP)

    def of_chunk(inputs: tuple[jax.Array, jax.Array]) -> Any:
        images, chunk_key = inputs
        hidden = features(model, params, batch_stats, images, first)
        plain = jax.nn.softmax(model.apply(params, batch_stats, hidden, start=first)[0])

        def probabilities(sample_key: jax.Array) -> jax.Array:
            options = {"key": sample_key, "dropout_rate": rate, "start": first, "mask_bits": mask_bits}
            return jax.nn.softmax(model.apply(params, batch_stats, hidden, **options)[0])

        def add(sums: _Sums, keys: jax.Array) -> tuple[_Sums, jax.Array | None]:
            drawn = jax.vmap(probabilities)(keys)
            return added(sums, drawn, plain), drawn if keep_samples else None

        keys = jax.random.split(chunk_key, samples)
        none = _Sums(jnp.zeros_like(plain), jnp.zeros_like(plain), jnp.zeros_like(plain[:, 0]))
        sums, drawn = jax.lax.scan(add, none, keys[: groups * GROUP].reshape(groups, GROUP))
        parts = [] if drawn is None else [drawn.reshape(-1, *plain.shape)]
        if rest:
            sums, drawn = add(sums, keys[groups * GROUP :])
            parts += [] if drawn is None else [drawn]
        return *moments(sums, plain, samples), jnp.concatenate(parts) if parts else None

    return jax.lax.map(of_chunk, (chunks, jax.random.split(key, len(chunks))))


def pooled(parts: Sequence[Uncertainty], counts: Sequence[int]) -> Uncertainty:
    """The moments over all samples of several draws, without the samples.

    Args:
        parts: of the same images.
        counts: samples of each.
    """
    shares = jnp.asarray(counts, parts[0].mean.dtype) / sum(counts)

    def averaged(values: Sequence[jax.Array]) -> jax.Array:
        return jnp.tensordot(shares, jnp.stack(values), 1)

    mean = averaged([part.mean for part in parts])
    variance = averaged([jnp.square(part.std) + jnp.square(part.mean - mean) for part in parts])
    of_samples = averaged([part.entropy - part.mutual_information for part in parts])
    of_mean = entropy(mean)
    return Uncertainty(mean, jnp.sqrt(variance), of_mean, jnp.maximum(of_mean - of_samples, 0))


def added(sums: _Sums, drawn: jax.Array, reference: jax.Array) -> _Sums:
    """The sums with a group of samples [G, N, C] added, as deviations from a reference [N, C] near their mean.

    So that the variance, a difference of sums, loses no digits where it is small.
    """
    deviations = drawn - reference[None]
    return _Sums(
        sums.deviations + deviations.sum(0),
        sums.squares + jnp.square(deviations).sum(0),
        sums.entropies + entropy(drawn).sum(0),
    )


def moments(sums: _Sums, reference: jax.Array, samples: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Mean, standard deviation, entropy of the mean, mutual information."""
    deviation = sums.deviations / samples
    mean = reference + deviation
    std = jnp.sqrt(jnp.maximum(sums.squares / samples - jnp.square(deviation), 0))
    of_mean = entropy(mean)
    return mean, std, of_mean, jnp.maximum(of_mean - sums.entropies / samples, 0)


def entropy(probabilities: jax.Array) -> jax.Array:
    """[..., C] -> [...], in nats."""
    positive = jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).tiny)
    return -(probabilities * jnp.log(positive)).sum(-1)


def ensemble(probabilities: Sequence[np.ndarray] | np.ndarray) -> Uncertainty:
    """The members of a study as one predictor: the same moments, over members.

    Args:
        probabilities: [M, N, C], of 2 or more networks on the same images.

    Raises:
        UserError: fewer than 2.

    Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles" (2017).
    """
    drawn = jnp.asarray(np.stack(list(probabilities)))
    if len(drawn) < 2:
        raise UserError(f"an ensemble of {len(drawn)} networks; allowed: 2 or more, as of --seeds 5")
    none = _Sums(jnp.zeros_like(drawn[0]), jnp.zeros_like(drawn[0]), jnp.zeros_like(drawn[0, :, 0]))
    return Uncertainty(*moments(added(none, drawn, drawn[0]), drawn[0], len(drawn)), samples=drawn)
