"""What JAX says of its device."""

from typing import Any

import jax


def platform() -> str:
    """Where JAX computes: "cpu", or "gpu"."""
    return jax.default_backend()


def precision() -> str:
    """Of a product of float32 matrices, as JAX is set."""
    chosen: Any = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if jax.default_backend() == "cpu" or chosen in ("highest", "float32"):
        return "float32"
    return "TF32 (JAX's default)" if chosen in (None, "default") else str(chosen)


def device_peak() -> dict[str, Any]:
    """The most bytes that were in use on the device; nothing where it does not count them."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return {name: stats[name] for name in ("peak_bytes_in_use",) if name in stats}
