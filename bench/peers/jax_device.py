"""JAX's account of its device."""

from typing import Any

import jax


def platform() -> str:
    """Return the platform that JAX computes on, "cpu" or "gpu"."""
    return jax.default_backend()


def precision(chosen: str | None = None) -> str:
    """Return the precision of a product of float32 matrices.

    Args:
        chosen: Value of `train.matmul_precision`. None takes JAX's own setting.
    """
    if chosen is None:
        chosen = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if jax.default_backend() == "cpu" or chosen in ("highest", "float32"):
        return "float32"
    return "TF32 (JAX's default)" if chosen in (None, "default") else str(chosen)


def device_peak() -> dict[str, Any]:
    """Return the most bytes that were in use on the device, or nothing if it does not count them."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return {name: stats[name] for name in ("peak_bytes_in_use",) if name in stats}
