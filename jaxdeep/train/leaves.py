"""The leaves of a state by name, as a checkpoint holds them, and the digests that tell a damaged one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

Leaves = dict[str, np.ndarray]


def leaves_of(state: Any) -> Leaves:
    """Return the leaves of a pytree by name, copied to the host; random keys as their data."""
    named, _ = jax.tree.flatten_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.array(_plain(leaf)) for path, leaf in named}


def state_of(leaves: Leaves, like: Any) -> Any:
    """Return the pytree that `leaves_of` took apart, on the device.

    Args:
        leaves: arrays in the order of the pytree's leaves.
        like: a pytree of the same structure, which tells the random keys from other arrays.
    """

    def device_leaf(leaf: np.ndarray, template: Any) -> jax.Array:
        if jax.numpy.issubdtype(template.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jax.numpy.asarray(leaf), impl=jax.random.key_impl(template))
        return jax.numpy.asarray(leaf)

    templates, structure = jax.tree.flatten(like)
    return structure.unflatten(map(device_leaf, leaves.values(), templates))


def check_leaves(found: Leaves, expected: Leaves, digest: str) -> None:
    """Refuse leaves that are not those that were saved.

    Args:
        found: leaves as they were read.
        expected: leaves of the shapes and types that they should have.
        digest: digest of the leaves that were saved.

    Raises:
        ValueError: a leaf has another shape or type, or the digest differs.
    """
    for name, leaf in expected.items():
        if (found[name].shape, found[name].dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} is {found[name].dtype}{found[name].shape}, expected {leaf.dtype}{leaf.shape}")
    if leaves_digest(found) != digest:
        raise ValueError("its digest is not that of its arrays")


def leaves_digest(leaves: Leaves) -> str:
    """Return the SHA-256 of the leaves' names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, leaf in leaves.items():
        digest.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()


def record_digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, in whatever order their keys stand."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
