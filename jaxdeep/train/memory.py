"""Refuse a run that does not fit into memory, with its size in words, before it is tried."""

import os
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train.forward import model_of

COPIES: Final = 3
"""Fewest copies of all weights: the weights, the best epoch's weights, and the gradients."""
SHARE: Final = 0.9
"""Share of an accelerator's memory that a program and its arguments may take."""
LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files in which Linux names the memory limit of a container in bytes."""


def size_in_words(size: int) -> str:
    """Return a number of bytes in words.

    Args:
        size: Number of bytes, 0 or more.

    Returns:
        The size in the largest binary unit that keeps it at 1 or more.

    >>> size_in_words(1_500), size_in_words(23 * 2**30), size_in_words(10**400)
    ('1.5 KiB', '23.0 GiB', 'more than 1,024 YiB')
    """
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
    power = min(max(size.bit_length() - 1, 0) // 10, len(units))
    if power == len(units):
        return "more than 1,024 YiB"
    return f"{size / 2 ** (10 * power):,.1f} {units[power]}" if power else f"{size} bytes"


def total_memory() -> int | None:
    """Return the bytes of the memory that a run computes in.

    On a CPU that is the machine's memory or a container's limit if that is lower. On an accelerator it is SHARE of the
    first device's memory.

    Returns:
        A number of bytes. None if the system does not say.
    """
    if jax.default_backend() != "cpu":
        stats = _stats()
        return int(SHARE * stats["bytes_limit"]) if "bytes_limit" in stats else None
    limits = [limit for path in LIMITS if (limit := _number_in(path)) is not None]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=None)


def free_memory(held: int = 0) -> int | None:
    """Return the bytes that a program and its arguments may take on an accelerator.

    Args:
        held: Bytes of these arguments that are on the device already.

    Returns:
        The free part of SHARE of the memory plus `held` in bytes. None on a CPU or if the device does not say.
    """
    stats = _stats()
    if "bytes_limit" not in stats:
        return None
    return int(SHARE * stats["bytes_limit"]) - stats.get("bytes_in_use", 0) + held


def fewest_bytes(config: Config, data: Dataset) -> int:
    """Return the fewest bytes that training needs.

    They are COPIES of the weights and the values of one batch in all layers. The arithmetic is on Python's integers, so
    no size is too large for it.

    Args:
        config: Configuration to train.
        data: Data set whose width, number of classes and number of training rows are used.

    Returns:
        A number of bytes.
    """
    rows = min(config.train.batch_size, data.train.capacity)
    stacks = model_of(config, data).stacks
    weights = sum(length * block.products * (inputs + 1) for _, block, inputs, _, length, _ in stacks)
    values = sum(length * block.products * rows for _, block, _, _, length, _ in stacks)
    return (COPIES * weights + values) * jnp.dtype(config.train.dtype).itemsize


def check_memory(config: Config, data: Dataset) -> None:
    """Refuse a network that the memory cannot hold before anything is compiled.

    Args:
        config: Configuration to train.
        data: Data set whose width, number of classes and number of training rows are used.

    Raises:
        UserError: Training needs more than all memory.
    """
    refuse_more_than(total_memory(), fewest_bytes(config, data), "at least ")


def refuse_more_than(memory: int | None, needed: int, bound: str = "") -> None:
    """Refuse a size that exceeds the memory.

    Args:
        memory: Bytes that may be taken. None allows any size.
        needed: Bytes that training takes.
        bound: Words before the size in the message, such as "at least ".

    Raises:
        UserError: More bytes are needed than may be taken.
    """
    if memory is not None and needed > memory:
        raise UserError(
            f"training takes {bound}{size_in_words(needed)} of memory, and there are {size_in_words(memory)}. "
            "Make model.units or train.batch_size smaller, or the runs fewer."
        )


def program_bytes(compiled: Any) -> int:
    """Return the bytes that a compiled program holds while it runs.

    Args:
        compiled: Program that XLA has compiled.

    Returns:
        The bytes of arguments, results and temporaries. 0 if XLA does not say.
    """
    analysis = compiled.memory_analysis()
    if analysis is None:
        return 0
    parts = (getattr(analysis, f"{part}_size_in_bytes") for part in ("argument", "output", "temp"))
    return sum(parts) - analysis.alias_size_in_bytes


def tree_bytes(tree: Any) -> int:
    """Return the bytes of all arrays of a pytree.

    Args:
        tree: Pytree of arrays or of `jax.ShapeDtypeStruct`.

    Returns:
        A number of bytes.
    """
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _stats() -> dict[str, int]:
    """Return the first device's figures of its memory. They are empty on a CPU."""
    return jax.local_devices()[0].memory_stats() or {}


def _number_in(path: str) -> int | None:
    """Return the whole number that a file holds, or None."""
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
