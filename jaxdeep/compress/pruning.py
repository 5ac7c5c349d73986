"""Pruning of a trained network by magnitude, and fine-tuning in which zeros stay."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import jax.numpy as jnp

from jaxdeep.config import Transfer
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import PruneScope, check
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import scalar
from jaxdeep.errors import UserError
from jaxdeep.optim.sparsity import kernels_of, pruned, with_kernels
from jaxdeep.train.checks import check_fits
from jaxdeep.train.divergence import warn_of_run
from jaxdeep.train.fit import train
from jaxdeep.train.forward import model_of
from jaxdeep.train.run import Run, check_stack
from jaxdeep.train.source import Source, prepared
from jaxdeep.train.weights import with_weights


def prune(run: Run, sparsity: float, scope: PruneScope = "global") -> Run:
    """Set the kernel entries of smallest magnitude to 0.

    The kernels of all layers are pruned, the output layer's included. Biases and batch normalisation stay.

    Args:
        run: Finished run, which stays as it is.
        sparsity: Share of the kernel entries that are 0 afterwards, in [0, 1).
        scope: Entries that are compared: "global" in all layers together, "layer" in each layer alone.

    Returns:
        A run with the pruned weights. Its losses and accuracies are evaluated anew, its history stays.

    Raises:
        UserError: An argument has another type or is out of its range, or the run has no best epoch.
    """
    _check_run(run)
    share = _number("sparsity", sparsity)
    check("sparsity", sparsity, 0 <= share < 1, "in [0, 1)")
    check("scope", scope, scope in get_args(PruneScope), " or ".join(get_args(PruneScope)))
    params = pruned(model_of(run.config, run.data), run.params, share, scope)
    return with_weights(run, params, run.batch_stats)


def zero_below(run: Run, magnitude: float) -> Run:
    """Set the kernel entries below a magnitude to 0.

    An l1 penalty makes many weights tiny and hardly any exactly 0. This makes zeros of them.

    Args:
        run: Finished run, which stays as it is.
        magnitude: Absolute value below which an entry becomes 0, 0 or more.

    Returns:
        A run with the new weights. Its losses and accuracies are evaluated anew, its history stays.

    Raises:
        UserError: An argument has another type or is out of its range, or the run has no best epoch.
    """
    _check_run(run)
    limit = _number("magnitude", magnitude)
    check("magnitude", magnitude, 0 <= limit < math.inf, "0 or more and finite")
    kernels = kernels_of(model_of(run.config, run.data), run.params)
    zeroed = {name: jnp.where(jnp.abs(of) < limit, jnp.zeros((), of.dtype), of) for name, of in kernels.items()}
    return with_weights(run, with_kernels(run.params, zeroed), run.batch_stats)


def sparsity_of(run: Run, below: float = 0.0) -> float:
    """Return the share of the kernels' entries that are 0, or nearly 0.

    Args:
        run: Run whose weights are counted.
        below: Largest absolute value that counts as 0. The default counts exact zeros only.

    Returns:
        A share in [0, 1] of the entries of all kernels.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    kernels = kernels_of(model_of(run.config, run.data), run.params).values()
    zeros = sum(int(jnp.sum(jnp.abs(kernel) <= below)) for kernel in kernels)
    return zeros / sum(kernel.size for kernel in kernels)


def finetune(run: Run, changes: Mapping[str, Any], seed: int | None = None) -> Run:
    """Train on from the weights of a run, with changes to its configuration.

    The optimizer, the schedule and the epochs start anew. `{"regularize.keep_zeros": True}` keeps the zeros of a pruned
    network. FTRL computes its weights from the sum of its gradients alone, so it forgets the weights that it is given.

    Args:
        run: Finished run whose weights come first. It stays as it is.
        changes: Value of each field that changes, by dotted name, such as {"train.epochs": 5}.
        seed: Seed of the order of the rows and of the dropout masks, in 0 .. 2^32 - 1. None takes the run's.

    Returns:
        A run whose history holds the new epochs only.

    Raises:
        UserError: A change is not valid, the network has other shapes than the run's, or the run has no best epoch.

    Warns:
        JaxdeepWarning: The training diverged.
    """
    _check_run(run)
    seed = run.seed if seed is None else plain_seed(seed)
    network = run.config.network
    config = replace(run.config, model=network, transfer=Transfer()).updated(changes)
    if config.model.units != network.units:
        raise UserError(
            "changes give the network other weights than the run's. Leave model.units, model.activation, batch "
            "normalisation, biases and train.dtype as they are."
        )
    whole = Transfer(layers=len(network.units), head="kept", frozen="none")
    config = replace(config, transfer=whole)
    source = Source.of(run)
    check_fits(config, run.data)
    tuned = train(config, prepared(config, run.data, source), seed, source=source)
    if tuned.diverged:
        warn_of_run(seed, len(tuned.history), tuned.best_epoch, config.optim.learning_rate)
    return tuned


def _check_run(run: Run) -> None:
    """Refuse what is no run, or a run whose weights are untrained."""
    check_type("run", run, Run, "a Run, as fit returns it")
    run.check_trained()
    check_stack(run, "pruning")


def _number(name: str, value: Any) -> float:
    """Return a number that a user gives, or refuse another value."""
    number = scalar(value)
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    check(name, value, is_number, "a number")
    return float(number)
