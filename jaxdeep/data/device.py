"""Values of NumPy on the device, without a program for each shape."""

from typing import Any

import jax
import numpy as np


def on_device(values: Any, dtype: Any = None) -> jax.Array:
    """Return a copy of NumPy's values on the device.

    JAX 0.10 compiles a program of 10 ms in `jnp.asarray` for each new shape and type. This compiles nothing.

    Args:
        values: Array, or a number or nested numbers. JAX takes 64 bits as 32 unless they are enabled.
        dtype: Type of the values, or None for their own.
    """
    return jax.device_put(np.array(values, dtype))  # a copy, since a CPU's device may hold NumPy's own memory
