"""The platform that a program is traced for.

It is JAX's default backend, unless a program is compiled for an accelerator that is described and not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

_DESCRIBED: ContextVar[str | None] = ContextVar("described platform", default=None)


def platform() -> str:
    """Return the platform that programs are traced for, such as cpu, gpu or tpu."""
    return _DESCRIBED.get() or jax.default_backend()


@contextmanager
def traced_for(name: str) -> Iterator[None]:
    """Trace programs for a platform without a device.

    Args:
        name: Name of the platform, such as gpu or tpu.
    """
    before = _DESCRIBED.set(name)
    try:
        yield
    finally:
        _DESCRIBED.reset(before)
