"""The leaves of a state by name in a checkpoint, and the digests that tell a damaged checkpoint."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

Leaves = dict[str, np.ndarray]
"""Arrays on the host by the name of their leaf."""


def leaves_of(state: Any) -> Leaves:
    """Return the leaves of a pytree by name.

    Args:
        state: Pytree of arrays and random keys.

    Returns:
        Copies on the host in the order of the leaves. A random key is returned as its data.
    """
    return {name: np.array(_key_data(leaf)) for name, leaf in named_leaves(state).items()}


def named_leaves(state: Any) -> dict[str, Any]:
    """Return the leaves of a pytree as they are, by name.

    Args:
        state: Pytree of any leaves, such as arrays or their shapes.

    >>> named_leaves({"dense": {"bias": 1, "kernel": 2}})
    {'dense.bias': 1, 'dense.kernel': 2}
    """
    named, _ = jax.tree.flatten_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in named}


def state_of(leaves: Leaves, like: Any) -> Any:
    """Return the pytree of some leaves on the device. It is the inverse of `leaves_of`.

    Args:
        leaves: Arrays in the order of the pytree's leaves.
        like: Pytree of the same structure. It tells the random keys from other arrays.

    Returns:
        A pytree like the given one.
    """

    def device_leaf(leaf: np.ndarray, template: Any) -> jax.Array:
        if jax.numpy.issubdtype(template.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jax.numpy.asarray(leaf), impl=jax.random.key_impl(template))
        return jax.numpy.asarray(leaf)

    templates, structure = jax.tree.flatten(like)
    return structure.unflatten(map(device_leaf, leaves.values(), templates))


def check_leaves(found: Leaves, expected: Leaves, digest: str) -> None:
    """Refuse leaves that differ from the saved ones.

    Args:
        found: Leaves as they were read.
        expected: Leaves of the expected shapes and types.
        digest: Digest of the saved leaves.

    Raises:
        ValueError: A leaf has another shape or type, or the digest differs.
    """
    for name, leaf in expected.items():
        if (found[name].shape, found[name].dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} is {found[name].dtype}{found[name].shape}, expected {leaf.dtype}{leaf.shape}")
    if leaves_digest(found) != digest:
        raise ValueError("its digest is not that of its arrays")


def leaves_digest(leaves: Leaves) -> str:
    """Return the SHA-256 of the leaves' names, types, shapes and bytes.

    Args:
        leaves: Arrays on the host by name.

    Returns:
        64 hexadecimal digits. They depend on the order of the leaves.
    """
    digest = hashlib.sha256()
    for name, leaf in leaves.items():
        digest.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()


def record_digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values.

    Args:
        record: JSON values by key.

    Returns:
        64 hexadecimal digits. They do not depend on the order of the keys.
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _key_data(leaf: Any) -> Any:
    """Return a random key's data, and any other array as it is."""
    return jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
