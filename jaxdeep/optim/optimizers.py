"""Optimizers of Keras 3 and of optax by name, as optax chains."""

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import optax

from jaxdeep import config
from jaxdeep.optim.adam import scale_by_adam, scale_by_adamax
from jaxdeep.optim.constraints import clip_by_norm
from jaxdeep.optim.elementwise import is_elementwise
from jaxdeep.optim.ftrl import ftrl
from jaxdeep.optim.nadam import scale_by_nadam
from jaxdeep.optim.schedules import Rates

MOST_APART: Final = 32
"""Most equal layers whose variables are updated apart by every optimizer of optax.

Whole stacks round otherwise on a CPU, and runs of 32 layers or fewer keep their bits.
"""


def optimizer(optim: config.Optim, rates: Rates) -> optax.GradientTransformation:
    """Return the optimizer of a configuration at the rates of one step.

    It is built anew for each step so that rates may be traced and change. Its state does not depend on the rates.

    Args:
        optim: Name of the optimizer, its constants and its clipping.
        rates: Learning rate and momentum of the step.

    Returns:
        A transformation from gradients to updates. Add its update to the parameters as it is.
    """
    transformation = _by_choice(optim, rates)
    if optim.clip_value is not None:
        return optax.chain(optax.clip(optim.clip_value), transformation)
    if optim.clip_norm is not None:
        return optax.chain(clip_by_norm(optim.clip_norm), transformation)
    if optim.clip_global_norm is not None:
        return optax.chain(optax.clip_by_global_norm(optim.clip_global_norm), transformation)
    return transformation


def _by_choice(optim: config.Optim, rates: Rates) -> optax.GradientTransformation:
    """Return the optimizer of a configuration without clipping."""
    by_learning_rate: Any = optax.scale_by_learning_rate(rates.learning_rate)
    beta_1 = rates.beta_1
    match optim.optimizer:
        case "sgd":
            return optax.chain(by_learning_rate)
        case "momentum" | "nesterov":  # Keras keeps the learning rate inside the buffer, so the rate comes first
            return optax.chain(by_learning_rate, optax.trace(beta_1, nesterov=optim.optimizer == "nesterov"))
        case "adagrad":
            return optax.chain(optax.scale_by_rss(optim.initial_accumulator, optim.epsilon), by_learning_rate)
        case "rmsprop":
            return optax.chain(optax.scale_by_rms(optim.rho, optim.epsilon), by_learning_rate)
        case "adam":
            return optax.chain(scale_by_adam(beta_1, optim.beta_2, optim.epsilon), by_learning_rate)
        case "adamax":
            return optax.chain(scale_by_adamax(beta_1, optim.beta_2, optim.epsilon), by_learning_rate)
        case "adamw":
            scale = scale_by_adam(beta_1, optim.beta_2, optim.epsilon)
            return optax.chain(scale, optax.add_decayed_weights(optim.weight_decay), by_learning_rate)
        case "nadam":
            scale = scale_by_nadam(beta_1, optim.beta_2, optim.epsilon, optim.momentum_decay)
            return optax.chain(scale, by_learning_rate)
        case "ftrl":
            accumulator = optim.initial_accumulator
            return ftrl(rates.learning_rate, optim.ftrl_l1, optim.ftrl_l2, initial_accumulator=accumulator)
        case str(name):
            return of_layers(getattr(optax, name.removeprefix("optax.")), rates.learning_rate)
        case function:
            return of_layers(function, rates.learning_rate)


def of_layers(make: Callable[[Any], optax.GradientTransformation], rate: Any) -> optax.GradientTransformation:
    """Return a transformation that gives each layer of a stack the update that it has alone.

    Each layer's variables are updated apart. With a stack of more than MOST_APART layers, a transformation that works
    element by element updates whole stacks, so that its program does not grow with the number of layers.

    Args:
        make: Function of the learning rate that returns a transformation.
        rate: Learning rate of the step. It may be traced.

    Returns:
        The transformation for trees whose leaves have a leading axis of layers.
    """
    whole = make(rate)
    apart = per_layer(whole)

    def chosen(tree: Any) -> optax.GradientTransformation:
        leaves, structure = jax.tree.flatten(tree)
        shapes, dtype = tuple(leaf.shape for leaf in leaves), str(leaves[0].dtype)
        is_deep = max(shape[0] for shape in shapes) > MOST_APART
        return whole if is_deep and is_elementwise(make, structure, shapes, dtype) else apart

    def init(params: optax.Params) -> optax.OptState:
        with jax.numpy_dtype_promotion("standard"):  # optax mixes types, and strict promotion forbids that
            return chosen(params).init(params)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            return chosen(updates).update(updates, state, params)

    return optax.GradientTransformation(init, update)


def per_layer(transformation: optax.GradientTransformation) -> optax.GradientTransformation:
    """Return a transformation that treats each layer of a stack as a variable of its own.

    Some optimizers such as LARS, LAMB and AdaFactor look at a variable as a whole. A stack of layers is not one
    variable. The transformation receives each layer's variables apart. A kernel then has the shape [units, inputs].

    Args:
        transformation: Any transformation whose state does not depend on the number of leaves.

    Returns:
        The transformation for trees whose leaves have a leading axis of layers.
    """

    def split(tree: Any) -> Any:
        return jax.tree.map(list, tree)

    def joined(tree: Any, like: Any) -> Any:
        return jax.tree.map(lambda _, layers: jnp.stack(layers), like, tree)

    def init(params: optax.Params) -> optax.OptState:
        with jax.numpy_dtype_promotion("standard"):  # optax mixes types, and strict promotion forbids that
            return transformation.init(split(params))

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            separate, state = transformation.update(split(updates), state, None if params is None else split(params))
        return joined(separate, updates), state

    return optax.GradientTransformation(init, update)
