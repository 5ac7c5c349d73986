"""Sizes of weights in memory and on disk."""

import io
from typing import Any, Final

import jax
import numpy as np

INDEX_BYTES: Final = 4
"""Bytes of a column's index and of a row's end in a CSR matrix, as scipy stores them."""


def weight_bytes(weights: Any) -> int:
    """Return the bytes of all arrays in memory.

    Args:
        weights: Pytree of arrays, such as `run.params`.
    """
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(weights))


def npz_bytes(weights: Any) -> int:
    """Return the bytes of a compressed NumPy file of all arrays, as `numpy.savez_compressed` writes it.

    Zeros compress well. The weights of a dense network hardly compress.

    Args:
        weights: Pytree of arrays, such as `run.params`.
    """
    content = io.BytesIO()
    arrays: dict[str, Any] = {str(index): storable(leaf) for index, leaf in enumerate(jax.tree.leaves(weights))}
    np.savez_compressed(content, **arrays)
    return content.getbuffer().nbytes


def csr_bytes(weights: Any) -> int:
    """Return the bytes of the arrays if matrices are stored in the sparse format CSR.

    A matrix [units, inputs] takes its entries other than 0, an index of 4 bytes for each of them, and units + 1 ends of
    rows of 4 bytes. Arrays without a matrix, such as biases, are stored as they are.

    Args:
        weights: Pytree of arrays, such as `run.params`. A kernel has the shape [L, units, inputs] for a stack of L
            layers.

    Returns:
        A number of bytes. It exceeds that of `weight_bytes` if fewer than about half of the entries are 0.
    """
    total = 0
    for leaf in map(np.asarray, jax.tree.leaves(weights)):
        if leaf.ndim < 3:
            total += leaf.nbytes
            continue
        rows = leaf.shape[0] * (leaf.shape[1] + 1)
        total += int(np.count_nonzero(leaf)) * (leaf.dtype.itemsize + INDEX_BYTES) + rows * INDEX_BYTES
    return total


def storable(leaf: Any) -> np.ndarray:
    """Return an array of a type that NumPy's files know. The bits of bfloat16 are returned as uint16.

    Args:
        leaf: Array of any type.
    """
    array = np.asarray(leaf)
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array
