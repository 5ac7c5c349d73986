"""What a network does not know, by Monte Carlo dropout."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.mc_checks import check_inputs, check_masks, check_mc_dropout
from jaxdeep.config.arguments import check_type
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.nn.dnn import BatchStats, Network, Params
from jaxdeep.nn.layers import MaskBits
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import model_of, scaled

GROUP: Final = 10
"""Samples at a time, of each image."""
VALUES: Final = {"cpu": 1_000_000}
"""That a layer takes in at a time, of a group's samples of some images: what a CPU's caches hold."""
VALUES_ELSEWHERE: Final = 50_000_000
"""Likewise on an accelerator: 200 MB."""


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


def _rows_at_a_time(model: Network) -> int:
    first = model.first_dropout or 0
    widest = max(stack.inputs for stack in model.stacks if stack.first + stack.length > first)
    return max(VALUES.get(jax.default_backend(), VALUES_ELSEWHERE) // (GROUP * widest), 1)


def features(model: Network, params: Params, batch_stats: BatchStats, images: jax.Array, stop: int) -> jax.Array:
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
    model: Network,
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
        images: [N, D], floating and finite, as they enter the network.
        key: one random key, of all masks.
        samples: M, 2 or more.
        dropout_rate: share of values that a mask drops, above 0 and below 1.
        mask_bits: random bits for each value of a mask: with 16, the rate is the nearest multiple of 1/65536.
        keep_samples: give the samples too: M x N x C numbers.

    Returns:
        Moments and doubts of every image.

    Raises:
        UserError: nothing would be random, as `check_mc_dropout` says, or the key or the images are of another kind.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation" (2016); the mutual information is that of
    Houlsby et al., "Bayesian active learning for classification and preference learning" (2011).
    """
    check_mc_dropout(model, dropout_rate, samples)
    check_masks(key, mask_bits)
    check_inputs(model, images)
    rate = jnp.asarray(dropout_rate, images.dtype)
    return _sampled(model, int(samples), mask_bits, keep_samples, params, batch_stats, images, key, rate)


def mc_predict(
    run: Run,
    images: np.ndarray,
    key: jax.Array,
    samples: int = 100,
    *,
    mask_bits: MaskBits = 16,
    keep_samples: bool = False,
    check: bool = True,
) -> Uncertainty:
    """Predict by MC dropout with a trained network, at the dropout rate that it was trained with.

    Args:
        run: a finished run.
        images: [N, *image_shape] or [N, D], N at least 1, unscaled like the training images; an array, or a data frame
            whose columns are matched by name.
        key: random key of all masks.
        samples: M, number of passes, 2 or more.
        mask_bits: random bits for each value of a mask: with 16, the rate is the nearest multiple of 1/65536.
        keep_samples: return the samples too, M x N x C numbers.
        check: compare the images with the range of the training images. Turn it off to evaluate images of another
            kind.

    Returns:
        Moments and doubts of N images.

    Raises:
        UserError: the images do not fit, as `Run.predict` says, or nothing would be random, as `check_mc_dropout` says.

    Warns:
        JaxdeepWarning: values lie outside the range of the training images.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    run.check_trained()
    check_mc_dropout(model_of(run.config, run.data), run.config.model.dropout_rate, samples)
    rows = checked_rows(run.data, images, check=check, dtype=run.config.train.dtype)
    found = mc_of_stored_rows(run, rows, key, samples, mask_bits=mask_bits, keep_samples=keep_samples)
    check_answers(np.asarray(found.mean))
    return found


def mc_of_stored_rows(
    run: Run, rows: np.ndarray, key: jax.Array, samples: int, *, mask_bits: MaskBits, keep_samples: bool
) -> Uncertainty:
    """Predict by MC dropout, like `mc_predict`, for rows that are stored already: a data set's own, or checked ones.

    Args:
        run: a finished run.
        rows: [N, D], as the data set stores them.
        key: random key of all masks.
        samples: M, number of passes, 2 or more.
        mask_bits: random bits for each value of a mask.
        keep_samples: return the samples too.

    Returns:
        Moments and doubts of N rows.

    Raises:
        UserError: nothing would be random, as `check_mc_dropout` says.
    """
    return mc_dropout(
        model_of(run.config, run.data),
        run.params,
        run.batch_stats,
        scaled(run.config, run.data, jnp.asarray(rows)),
        key,
        samples,
        dropout_rate=run.config.model.dropout_rate,
        mask_bits=mask_bits,
        keep_samples=keep_samples,
    )


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _sampled(
    model: Network,
    samples: int,
    mask_bits: MaskBits,
    keep_samples: bool,
    params: Params,
    batch_stats: BatchStats,
    images: jax.Array,
    key: jax.Array,
    rate: jax.Array,
) -> Uncertainty:
    """The layers before the first dropout of all images; the others of some images, some samples at a time.

    There, classes come first: loops over ten of them fill no vector register, loops over images do. A sample is added
    as its deviation from the plain pass, which is near the mean, so that the variance, a difference of sums, loses no
    digits where it is small.
    """
    first = model.first_dropout or 0
    groups, rest = divmod(samples, GROUP)

    def of_chunk(inputs: tuple[jax.Array, jax.Array]) -> tuple[Uncertainty, jax.Array | None]:
        hidden, chunk_key = inputs
        plain = jax.nn.softmax(model.apply(params, batch_stats, hidden, start=first)[0]).T

        def logits(sample_key: jax.Array) -> jax.Array:
            options = {"key": sample_key, "dropout_rate": rate, "start": first, "mask_bits": mask_bits}
            return model.apply(params, batch_stats, hidden, **options)[0]

        def add(sums: Any, keys: jax.Array) -> tuple[Any, jax.Array | None]:
            drawn, entropies = _softmax(jax.vmap(logits)(keys).transpose(2, 0, 1))
            deviations = drawn - plain[:, None]
            of_group = (deviations.sum(1), jnp.square(deviations).sum(1), entropies.sum(0))
            return jax.tree.map(jnp.add, sums, of_group), drawn.transpose(1, 2, 0) if keep_samples else None

        keys = jax.random.split(chunk_key, samples)
        none = (jnp.zeros_like(plain), jnp.zeros_like(plain), jnp.zeros_like(plain[0]))
        sums, drawn = jax.lax.scan(add, none, keys[: groups * GROUP].reshape(groups, GROUP))
        parts = [] if drawn is None else [drawn.reshape(-1, *drawn.shape[2:])]
        if rest:
            sums, drawn = add(sums, keys[groups * GROUP :])
            parts += [] if drawn is None else [drawn]
        deviation, square, of_samples = jax.tree.map(lambda total: total / samples, sums)
        mean, variance = (plain + deviation).T, (square - jnp.square(deviation)).T
        return moments(mean, variance, of_samples), jnp.concatenate(parts) if parts else None

    hidden = features(model, params, batch_stats, images, first)
    count = len(images)
    rows = min(_rows_at_a_time(model), count)
    chunks = jnp.pad(hidden, ((0, -count % rows), (0, 0)), mode="edge").reshape(-1, rows, hidden.shape[1])
    by_chunk, drawn = jax.lax.map(of_chunk, (chunks, jax.random.split(key, len(chunks))))
    found = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], by_chunk)
    kept = None if drawn is None else drawn.swapaxes(0, 1).reshape(samples, -1, drawn.shape[-1])[:, :count]
    return found._replace(samples=kept)


def _softmax(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """[C, ...] -> probabilities [C, ...] and their entropies [...], in nats."""
    shifted = logits - logits.max(0)[None]
    weights = jnp.exp(shifted)
    total = weights.sum(0)
    probabilities = weights / total[None]
    return probabilities, jnp.log(total) - (probabilities * shifted).sum(0)


def moments(mean: jax.Array, variance: jax.Array, of_samples: jax.Array) -> Uncertainty:
    """Take moments together, without the samples.

    Args:
        mean: [N, C], mean probabilities.
        variance: [N, C], variance of the samples' probabilities; rounding may make it negative.
        of_samples: [N], mean entropy of the samples, in nats.

    Returns:
        Moments and doubts of N images.
    """
    of_mean = entropy(mean)
    return Uncertainty(mean, jnp.sqrt(jnp.maximum(variance, 0)), of_mean, jnp.maximum(of_mean - of_samples, 0))


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
    return moments(mean, variance, averaged([part.entropy - part.mutual_information for part in parts]))


def entropy(probabilities: jax.Array) -> jax.Array:
    """[..., C] -> [...], in nats."""
    positive = jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).tiny)
    return -(probabilities * jnp.log(positive)).sum(-1)
