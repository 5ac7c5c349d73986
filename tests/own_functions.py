"""Functions that a user may bring by mistake: not for JAX, or of another kind than their field takes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen


def numpys_tanh(x: jax.Array) -> np.ndarray:
    """An activation that NumPy computes."""
    return np.tanh(x)


def branching(x: jax.Array) -> jax.Array:
    """An activation that looks at values."""
    return x if x > 0 else 0.1 * x


def halved(x: jax.Array) -> jax.Array:
    """An activation of fewer units than it takes."""
    return x[:, ::2]


def signs(x: jax.Array) -> jax.Array:
    """An activation that is no floating number."""
    return x > 0


def pair(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """An activation that returns two arrays."""
    return x, x


def without_gradient(x: jax.Array) -> jax.Array:
    """An activation that is traced, and cannot be differentiated."""
    return jax.pure_callback(np.tanh, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential")


def in_half_precision(x: jax.Array) -> jax.Array:
    """An activation that trains: the next layer makes float32 of it where the user allows that."""
    return jnp.tanh(x).astype(jnp.bfloat16)


def transposed(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    """An initialiser of another shape."""
    return jax.random.normal(key, shape[::-1], dtype)


def ones_of_integers(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    """An initialiser of another type."""
    return jnp.ones(shape, jnp.int32)


def seeded_by_numpy(key: jax.Array, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An initialiser that NumPy computes."""
    return np.random.default_rng(np.asarray(key)).normal(size=shape)


def fixed(key: jax.Array, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An initialiser that trains: constants may be NumPy's."""
    return np.full(shape, 0.01, dtype)


def a_number(learning_rate: jax.Array) -> int:
    """An optimizer that is none."""
    return 5


def at_a_python_rate(learning_rate: jax.Array) -> optax.GradientTransformation:
    """An optimizer that wants to know its rate."""
    return optax.sgd(float(learning_rate))


def of_numpys_updates(learning_rate: jax.Array) -> optax.GradientTransformation:
    """An optimizer whose update NumPy computes."""
    return optax.stateless(lambda updates, _: jax.tree.map(np.sign, updates))


def of_sums(learning_rate: jax.Array) -> optax.GradientTransformation:
    """An optimizer whose updates are not like the weights."""
    return optax.stateless(lambda updates, _: jax.tree.map(jnp.sum, updates))


def of_growing_state(learning_rate: jax.Array) -> optax.GradientTransformation:
    """An optimizer whose state is another one after a step."""
    return optax.GradientTransformation(
        lambda params: jnp.zeros(()), lambda updates, state, _=None: (updates, jnp.zeros(3))
    )


def by_python(count: jax.Array) -> float:
    """A schedule that Python's math computes."""
    return math.exp(-count)


def of_a_vector(count: jax.Array) -> jax.Array:
    """A schedule of several numbers."""
    return jnp.ones(3)


def whole(count: jax.Array) -> int:
    """A schedule that trains: a constant."""
    return 1


def a_module_of_one_output(outputs):
    return linen.Dense(1)


def no_module(outputs):
    return 3


class Counting(linen.Module):
    @linen.compact
    def __call__(self, x):
        self.variable("cache", "calls", lambda: jnp.zeros(()))
        return linen.Dense(2)(x)


def a_module_with_a_cache(outputs):
    return Counting()


class Numpys(linen.Module):
    @linen.compact
    def __call__(self, x):
        return jnp.asarray(np.tanh(linen.Dense(2)(x)))


def a_module_by_numpy(outputs):
    return Numpys()


def a_mean_loss(outputs, targets):
    return outputs.mean()


def a_loss_by_numpy(outputs, targets):
    return np.abs(outputs[:, 0])
