"""Predictive uncertainty of a network by Monte Carlo dropout."""

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
"""Number of samples that are computed at a time, for each image."""
VALUES: Final = {"cpu": 1_000_000}
"""Largest number of input values of a layer at a time, by backend. A CPU's caches hold as many."""
VALUES_ELSEWHERE: Final = 50_000_000
"""Largest number of input values of a layer at a time on an accelerator. They take 200 MB."""


class Uncertainty(NamedTuple):
    """Predictive uncertainty of N images from M samples or networks.

    Attributes:
        mean: Mean class probabilities [N, C].
        std: Standard deviation of the probabilities over samples [N, C]. It divides by M like NumPy's `std`.
        entropy: Entropy of the mean probabilities [N] in nats. It measures the total uncertainty.
        mutual_information: Entropy less the mean entropy of the samples [N] in nats. It measures the uncertainty that
            more training data would remove.
        samples: Class probabilities of each sample [M, N, C]. None unless they were requested.
    """

    mean: jax.Array
    std: jax.Array
    entropy: jax.Array
    mutual_information: jax.Array
    samples: jax.Array | None = None

    def __repr__(self) -> str:
        shapes = {name: getattr(value, "shape", None) for name, value in self._asdict().items() if value is not None}
        return f"Uncertainty({', '.join(f'{name} {shape and list(shape)}' for name, shape in shapes.items())})"


def _rows_at_a_time(model: Network) -> int:
    first = model.first_dropout or 0
    widest = max(stack.inputs for stack in model.stacks if stack.first + stack.length > first)
    return max(VALUES.get(jax.default_backend(), VALUES_ELSEWHERE) // (GROUP * widest), 1)


def features(model: Network, params: Params, batch_stats: BatchStats, images: jax.Array, stop: int) -> jax.Array:
    """Return the outputs of the layers before a given one.

    Layers before the first dropout give the same outputs in every pass. They are run once.

    Args:
        model: Network.
        params: Weights of the network.
        batch_stats: Moving statistics of its batch normalisation.
        images: Scaled rows [N, D] as they enter the network.
        stop: Index of the first layer that is not run.

    Returns:
        Outputs of the last layer that is run [N, units].
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
    dropout_rate: float | Sequence[float] | np.ndarray,
    mask_bits: MaskBits = 16,
    keep_samples: bool = False,
) -> Uncertainty:
    """Return the predictive uncertainty over passes with dropout on. Batch normalisation uses its moving statistics.

    The layers before the first dropout run once. The others run `samples` times with a mask for each image and sample.
    The moments are added up as the samples come. Memory does not grow with their number.

    Args:
        model: Network with dropout.
        params: Weights of the network.
        batch_stats: Moving statistics of its batch normalisation.
        images: Scaled rows [N, D], floating and finite, as they enter the network.
        key: Random key of all masks.
        samples: Number of passes M of at least 2.
        dropout_rate: Share of values that a mask drops, above 0 and below 1. Or a rate for each dense layer.
        mask_bits: Random bits for each value of a mask. With 16 the rate is the nearest multiple of 1/65536.
        keep_samples: Whether to return all M x N x C probabilities too.

    Returns:
        Moments and entropies of the N images.

    Raises:
        UserError: The network has no dropout or the rate or the number of samples is out of range. The key is not a
            single key or the images do not enter the network.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation" (2016). For the mutual information, Houlsby et
    al., "Bayesian active learning for classification and preference learning" (2011).
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
    """Predict by MC dropout with a trained network at the dropout rate of its training.

    Args:
        run: Finished run whose network has dropout.
        images: Images [N, *image_shape] or rows [N, D] with N at least 1. They are unscaled like the training images.
            A data frame is allowed too. Its columns are matched by name.
        key: Random key of all masks.
        samples: Number of passes M of at least 2.
        mask_bits: Random bits for each value of a mask. With 16 the rate is the nearest multiple of 1/65536.
        keep_samples: Whether to return all M x N x C probabilities too.
        check: Whether to compare the images with the range of the training images. Turn it off to evaluate images of
            another kind.

    Returns:
        Moments and entropies of the N images.

    Raises:
        UserError: The images do not fit the network. It has no dropout or there are fewer than 2 passes.

    Warns:
        JaxdeepWarning: Values lie outside the range of the training images.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    run.check_trained()
    check_mc_dropout(model_of(run.config, run.data), run.config.model.dropout_rate, samples)
    rows = checked_rows(run.data, images, check=check, dtype=run.config.train.dtype)
    uncertainty = mc_of_stored_rows(run, rows, key, samples, mask_bits=mask_bits, keep_samples=keep_samples)
    check_answers(np.asarray(uncertainty.mean))
    return uncertainty


def mc_of_stored_rows(
    run: Run, rows: np.ndarray, key: jax.Array, samples: int, *, mask_bits: MaskBits, keep_samples: bool
) -> Uncertainty:
    """Predict by MC dropout for rows that a data set stores or that `checked_rows` returned.

    Args:
        run: Finished run whose network has dropout.
        rows: rows [N, D] as the data set stores them.
        key: Random key of all masks.
        samples: Number of passes M of at least 2.
        mask_bits: Random bits for each value of a mask. With 16 the rate is the nearest multiple of 1/65536.
        keep_samples: Whether to return all M x N x C probabilities too.

    Returns:
        Moments and entropies of the N rows.

    Raises:
        UserError: The network has no dropout or there are fewer than 2 passes.
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
    """Return the predictive uncertainty of images. Groups of samples are computed for chunks of images.

    The layers before the first dropout run once for all images. The sums have classes as their first axis. Loops over
    ten classes fill no vector register and loops over images do. Samples are summed as deviations from the pass without
    dropout. That pass is near the mean. The variance is a difference of sums and keeps its digits if they are small.
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
    """Return the softmax of logits [C, ...] over classes, and its entropies [...] in nats."""
    shifted = logits - logits.max(0)[None]
    weights = jnp.exp(shifted)
    total = weights.sum(0)
    probabilities = weights / total[None]
    return probabilities, jnp.log(total) - (probabilities * shifted).sum(0)


def moments(mean: jax.Array, variance: jax.Array, of_samples: jax.Array) -> Uncertainty:
    """Return the predictive uncertainty from moments of the samples.

    Args:
        mean: Mean probabilities [N, C].
        variance: Variance of the samples' probabilities [N, C]. Rounding may make it negative.
        of_samples: Mean entropy of the samples [N] in nats.

    Returns:
        Moments and entropies of the N images without samples.
    """
    of_mean = entropy(mean)
    return Uncertainty(mean, jnp.sqrt(jnp.maximum(variance, 0)), of_mean, jnp.maximum(of_mean - of_samples, 0))


def pooled(parts: Sequence[Uncertainty], counts: Sequence[int]) -> Uncertainty:
    """Return the predictive uncertainty over all samples of several blocks.

    Args:
        parts: Uncertainty of the same N images from each block.
        counts: Number of samples in each block.

    Returns:
        Moments and entropies of the N images without samples.
    """
    shares = jnp.asarray(counts, parts[0].mean.dtype) / sum(counts)

    def averaged(values: Sequence[jax.Array]) -> jax.Array:
        return jnp.tensordot(shares, jnp.stack(values), 1, precision="highest")

    mean = averaged([part.mean for part in parts])
    variance = averaged([jnp.square(part.std) + jnp.square(part.mean - mean) for part in parts])
    return moments(mean, variance, averaged([part.entropy - part.mutual_information for part in parts]))


def entropy(probabilities: jax.Array) -> jax.Array:
    """Return the entropy of probabilities in nats.

    Args:
        probabilities: Class probabilities [..., C]. Each row sums to 1.

    Returns:
        Entropy of each row [...] in 0 .. log(C).
    """
    positive = jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).tiny)
    return -(probabilities * jnp.log(positive)).sum(-1)
